"""A table of the site: an entity file names it, a migration of the site's own made it."""

import json

from support.daemon import Kopru, default_settings, merged, run_kopru

_ENTITY = """
entity   = "device";
table    = "devices";
key      = { column = "device_id"; path = "id"; };
columns  = ( { column = "status"; path = "status"; } );
"""
_TABLE = """
CREATE TABLE kopru.devices (LIKE kopru.customers INCLUDING ALL);
ALTER TABLE kopru.devices RENAME customer_id TO device_id;
ALTER TABLE kopru.devices DROP COLUMN name;
ALTER TABLE kopru.devices OWNER TO kopru_owner;
"""


def test_a_missing_grant_is_laid_to_its_migration(rabbitmq_server, db, queues, tmp_path) -> None:
    db.query(_TABLE)
    file = tmp_path / "device.cfg"
    file.write_text(_ENTITY, encoding="utf-8")
    settings = merged(default_settings(rabbitmq_server.uri, db.daemon_dsn, {}), {
        "entity_files": [str(file)], "queues": [{"name": queues.customer, "entity": "device"}]})
    daemon = Kopru(settings)
    try:
        daemon.launch()
        (line,) = {json.dumps({name: text for name, text in line.items()
                               if name in ("subject", "hint", "why")})
                   for line in daemon.wait_for_event("paused")}
        paused = json.loads(line)
        assert paused["subject"] == "kopru.devices"
        assert "06-grants" not in paused["hint"]
        grant = paused["hint"].partition("run, as kopru_owner: ")[2]
        assert grant == "GRANT SELECT, INSERT, UPDATE ON kopru.devices TO kopru_writer"

        db.query(f"SET ROLE kopru_owner; {grant}")
        rabbitmq_server.publish(queues.customer, b'{"id":"d1","status":"on"}')
        rabbitmq_server.wait_until_empty(queues.customer)
        assert db.query("SELECT device_id, status FROM kopru.devices") == [("d1", "on")]
        assert run_kopru("check", "-c", str(daemon.config_path)).returncode == 0
        assert daemon.terminate() == 0
    finally:
        daemon.release()
