"""What a database has in schemas of its own, as text to compare with the text of another time.

pg_dump says it best, but refuses a server that is newer than itself; then the catalog is read.
"""

import re
import subprocess

from support.database import Database, clean_environment

_SQITCH = "kopru_sqitch"

_SCHEMAS = f"""
SELECT oid, nspname FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', '{_SQITCH}')"""

# Each query returns what an object is called, and all that was said of it.
_QUERIES = [
    """
    SELECT n.nspname, s.nspowner::regrole, acl('n', s.nspacl, s.nspowner),
           obj_description(n.oid, 'pg_namespace')
    FROM schemas n JOIN pg_namespace s USING (oid)""",
    """
    SELECT c.oid::regclass, c.relkind, c.relpersistence, c.relowner::regrole,
           CASE c.relkind WHEN 'S' THEN acl('s', c.relacl, c.relowner)
                ELSE acl('r', c.relacl, c.relowner) END,
           c.reloptions, obj_description(c.oid, 'pg_class'), c.relrowsecurity,
           CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid)
                WHEN 'i' THEN pg_get_indexdef(c.oid) END
    FROM pg_class c JOIN schemas n ON c.relnamespace = n.oid WHERE c.relkind <> 't'""",
    """
    SELECT c.oid::regclass, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
           format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
           a.attcollation::regcollation, acl('c', a.attacl, c.relowner), a.attstorage,
           pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
    FROM pg_class c JOIN schemas n ON c.relnamespace = n.oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum""",
    """
    SELECT k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid),
           obj_description(k.oid, 'pg_constraint')
    FROM pg_constraint k JOIN schemas n ON k.connamespace = n.oid""",
    """
    SELECT t.tgrelid::regclass, pg_get_triggerdef(t.oid), t.tgenabled
    FROM pg_trigger t JOIN pg_class c ON t.tgrelid = c.oid
    JOIN schemas n ON c.relnamespace = n.oid WHERE NOT t.tgisinternal""",
    """
    SELECT pg_get_functiondef(p.oid), p.proowner::regrole, acl('f', p.proacl, p.proowner),
           obj_description(p.oid, 'pg_proc')
    FROM pg_proc p JOIN schemas n ON p.pronamespace = n.oid""",
    """
    SELECT q.seqrelid::regclass, q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmax,
           q.seqmin, q.seqcache, q.seqcycle
    FROM pg_sequence q JOIN pg_class c ON q.seqrelid = c.oid
    JOIN schemas n ON c.relnamespace = n.oid""",
    """
    SELECT t.oid::regtype, t.typtype, t.typowner::regrole, acl('T', t.typacl, t.typowner)
    FROM pg_type t JOIN schemas n ON t.typnamespace = n.oid""",
    """
    SELECT a.defaclrole::regrole, n.nspname, a.defaclobjtype, acl('r', a.defaclacl, a.defaclrole)
    FROM pg_default_acl a LEFT JOIN schemas n ON a.defaclnamespace = n.oid""",
    "SELECT extname, extversion FROM pg_extension",
]


def _with_privileges_spelled_out(query: str) -> str:
    """acl(KIND, PRIVILEGES, OWNER) as text: in order, and the default ones also where the catalog
    leaves them out.
    """
    return re.sub(r"\bacl\(('\w'), ([\w.]+), ([\w.]+)\)",
                  r"(SELECT string_agg(item::text, ' ' ORDER BY item::text)"
                  r" FROM unnest(coalesce(\2, acldefault(\1, \3))) AS item)", query)


def _read(database: Database) -> str:
    lines = []
    for query in _QUERIES:
        lines += sorted(map(repr, database.query(
            f"WITH schemas AS ({_SCHEMAS}) SELECT found::text FROM "
            f"({_with_privileges_spelled_out(query)}) AS found")))
    return "\n".join(lines)


def _can_dump(database: Database) -> bool:
    said = subprocess.run(["pg_dump", "--version"], capture_output=True, text=True, check=True)
    of_dump = re.search(r" (\d+)\.", said.stdout)
    assert of_dump is not None, said.stdout
    with database.admin() as connection:
        return connection.info.server_version // 10000 <= int(of_dump[1])


def catalog_text(database: Database) -> str:
    """All but Sqitch's own schema."""
    if not _can_dump(database):
        return _read(database)
    dump = subprocess.run(["pg_dump", "--schema-only", f"--exclude-schema={_SQITCH}", "-d",
                           database.admin_dsn], env=clean_environment(), capture_output=True,
                          text=True, check=True).stdout
    # Newer releases guard a dump with a random word.
    return re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.M)
