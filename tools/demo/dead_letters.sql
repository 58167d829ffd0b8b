-- Messages that could not be applied, and why. The exact bytes are in the column body: they may
-- hold personal data.
\set QUIET on
\pset border 1
\pset linestyle unicode
\pset footer off
\pset format wrapped

SELECT entity, entity_id, reason, detail
FROM kopru.dead_letters
WHERE status = 'open'
ORDER BY entity, reason, dead_letter_id;
