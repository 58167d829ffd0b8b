-- What became of the two notifications that the ERP's owner prints:
-- psql DATABASE -f tools/demo/samples.sql
\set QUIET on
\pset border 1
\pset linestyle unicode
\pset footer off
\pset format wrapped
SET timezone = 'Europe/Istanbul';  -- the ERP's: a bare date of the payload is midnight there

\echo customers
SELECT customer_id, status, name, extra
FROM kopru.customers
WHERE customer_id = '134719';

\echo contact_mediums (the columns that are filled)
SELECT position, city, country, street1, phone_number, social_network_id
FROM kopru.contact_mediums
WHERE customer_id = '134719'
ORDER BY position;

\echo subscriptions
\x on
SELECT subscription_id, agreement_type, document_number, name, status,
       completion_start, completion_start_date, completion_end, completion_end_date, extra
FROM kopru.subscriptions
WHERE subscription_id = '123462';
\x off

\echo subscription_characteristics
SELECT name, value, value_date, value_numeric
FROM kopru.subscription_characteristics
WHERE subscription_id = '123462'
ORDER BY bag, name, occurrence;

\echo engaged_parties
SELECT subscription_id, customer_id, occurrence, role
FROM kopru.engaged_parties
WHERE subscription_id = '123462'
ORDER BY customer_id, occurrence;
