"""kopru check names what a site has put on the tables: triggers, rules, row-level security."""

import pytest
from support.database import DAEMON

pytestmark = pytest.mark.matrix

OK, PROBLEMS, NO_PERMISSION = 0, 1, 77


_FUNCTION = ("CREATE FUNCTION public.site_rule() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RETURN NEW; END $$;")
_FOREIGN = [
    ("BEFORE trigger",
     "CREATE TRIGGER mark BEFORE INSERT OR UPDATE ON kopru.customers FOR EACH ROW "
     "EXECUTE FUNCTION public.site_rule()",
     "kopru.customers", "trigger mark (BEFORE INSERT OR UPDATE, function public.site_rule)"),
    ("AFTER trigger",
     "CREATE TRIGGER mark AFTER DELETE ON kopru.contact_mediums "
     "EXECUTE FUNCTION public.site_rule()",
     "kopru.contact_mediums", "trigger mark (AFTER DELETE, function public.site_rule)"),
    ("trigger on dead letters",
     "CREATE TRIGGER mark BEFORE INSERT ON kopru.dead_letters FOR EACH ROW "
     "EXECUTE FUNCTION public.site_rule()",
     "kopru.dead_letters", "trigger mark (BEFORE INSERT, function public.site_rule)"),
    ("trigger on queues",
     "CREATE TRIGGER mark BEFORE UPDATE ON kopru.queues FOR EACH ROW "
     "EXECUTE FUNCTION public.site_rule()",
     "kopru.queues", "trigger mark (BEFORE UPDATE, function public.site_rule)"),
    ("rule",
     "CREATE RULE mark AS ON DELETE TO kopru.engaged_parties DO ALSO NOTHING",
     "kopru.engaged_parties", "rule mark (ON DELETE)"),
    ("policy",
     "ALTER TABLE kopru.customers ENABLE ROW LEVEL SECURITY;"
     "CREATE POLICY mark ON kopru.customers USING (status IS NULL)",
     "kopru.customers", "policy mark"),
    ("restrictive policy",
     "ALTER TABLE kopru.customers ENABLE ROW LEVEL SECURITY;"
     "CREATE POLICY everything ON kopru.customers TO kopru_writer USING (true) WITH CHECK (true);"
     "CREATE POLICY mark ON kopru.customers AS RESTRICTIVE USING (status IS NULL)",
     "kopru.customers", "policy mark"),
]
_HARMLESS = [
    ("disabled trigger",
     "CREATE TRIGGER mark BEFORE INSERT ON kopru.customers FOR EACH ROW "
     "EXECUTE FUNCTION public.site_rule();"
     "ALTER TABLE kopru.customers DISABLE TRIGGER mark"),
    ("trigger that fires for TRUNCATE alone",
     "CREATE TRIGGER mark AFTER TRUNCATE ON kopru.customers EXECUTE FUNCTION public.site_rule()"),
    ("policy for everything",
     "ALTER TABLE kopru.customers ENABLE ROW LEVEL SECURITY;"
     "CREATE POLICY mark ON kopru.customers TO kopru_writer USING (true) WITH CHECK (true)"),
    ("policies that are not enabled",
     "CREATE POLICY mark ON kopru.customers USING (status IS NULL)"),
]


@pytest.mark.parametrize("statement, subject, why", [case[1:] for case in _FOREIGN],
                         ids=[case[0] for case in _FOREIGN])
def test_what_may_swallow_or_change_a_row_is_a_warning(check, db, statement, subject, why):
    before = check().warnings
    db.query(f"{_FUNCTION} {statement}")
    report = check()
    assert report.status == OK, report
    (warning,) = [each for each in report.warnings if each not in before]
    assert (warning.subject, warning.why) == (subject, why)
    assert "see that it " in warning.hint


@pytest.mark.parametrize("statement", [case[1] for case in _HARMLESS],
                         ids=[case[0] for case in _HARMLESS])
def test_what_changes_no_row_is_not_warned_of(check, db, statement):
    before = check()
    db.query(f"{_FUNCTION} {statement}")
    report = check()
    assert (report.status, report.warnings) == (OK, before.warnings)


def test_a_partition_is_looked_at_as_well(check, db):
    db.query("CREATE TABLE kopru.parted (LIKE kopru.contact_mediums INCLUDING ALL) "
             "PARTITION BY LIST (customer_id);"
             "CREATE TABLE kopru.part PARTITION OF kopru.parted DEFAULT;"
             "DROP TABLE kopru.contact_mediums;"
             "ALTER TABLE kopru.parted RENAME TO contact_mediums;"
             "GRANT SELECT, INSERT, UPDATE, DELETE ON kopru.contact_mediums TO kopru_writer;"
             f"{_FUNCTION}"
             "CREATE TRIGGER mark BEFORE INSERT ON kopru.part FOR EACH ROW "
             "EXECUTE FUNCTION public.site_rule()")
    report = check()
    assert report.status == OK, report
    assert [warning.why for warning in report.warnings
            if warning.subject == "kopru.contact_mediums"] == [
                "trigger mark on partition part (BEFORE INSERT, function public.site_rule)"]


@pytest.mark.parametrize("event", ["INSERT", "UPDATE"])
def test_a_rule_that_forbids_on_conflict_is_a_problem(check, db, event):
    db.query(f"CREATE RULE mark AS ON {event} TO kopru.customers DO ALSO NOTHING")
    report = check()
    (problem,) = report.problems
    assert (report.status, problem.what, problem.subject, problem.why) == (
        PROBLEMS, "rule that forbids ON CONFLICT", "kopru.customers", f"rule mark (ON {event})")


def test_row_level_security_that_hides_everything_is_a_problem(check, db):
    db.query("ALTER TABLE kopru.customers ENABLE ROW LEVEL SECURITY")
    report = check()
    (problem,) = report.problems
    assert (report.status, problem.subject, problem.why) == (
        NO_PERMISSION, "kopru.customers", f"it is enabled, and no policy lets user {DAEMON} read")
    statement = problem.hint.partition("as kopru_owner: ")[2]
    db.query(f"SET ROLE kopru_owner; {statement}")
    report = check()
    assert report.status == OK
    assert "kopru.customers" not in {warning.subject for warning in report.warnings}
