"""The two notifications that the ERP's owner printed become exactly these rows."""

import datetime
from decimal import Decimal

import pytest
from support.samples import CUSTOMER, SUBSCRIPTION
from support.tables import DATA_TABLES, read_table

_UTC = datetime.timezone.utc
_NO_PARTY = {"name": None, "role": None, "referred_type": None, "extra": {}}

_CHARACTERISTICS = {
    "CAMPAIGN": "24 AY TAAHHÜTLÜ",
    "MONTAGEADRESS": "PINAR MAH. ONDOKUZ MAYIS BLV. AK TOWERS NO:42 İÇ KAPI NO:84",
    "MONTAGECITY": "İSTANBUL(Avrupa)",
    "MONTAGECOUNTY": "ESENYURT",
    "MONTAGE_DATE": "2021-08-16",
    "PANELBRAND": "EBS",
    "PANELMODEL": "CPX-300W",
    "PANELNO": "1065885",
    "SALESEMP": "ÜMİT",
    "STAGE": "6 - Sinyal Alımı Gerçekleşti",
    "TOTAL_PAST_DUE_INSTALMENT": "0.0",
}


def _characteristic(name, value):
    row = {"subscription_id": "123462", "bag": "characteristic", "name": name, "occurrence": 1,
           "value_type": "String",
           "value": value, "value_numeric": None, "value_date": None, "value_timestamp": None,
           "value_boolean": None, "extra": {}}
    if name == "MONTAGE_DATE":
        row.update(value_type="Date", value_date=datetime.date(2021, 8, 16))
    if name == "TOTAL_PAST_DUE_INSTALMENT":
        row.update(value_type="Float", value_numeric=Decimal("0.0"))
    return row


_EXPECTED = {
    "customers": [
        {"customer_id": "134719", "status": "Active", "name": "Customer Name Here", "extra": {},
         "source_time": None}],
    "contact_mediums": [
        {"customer_id": "134719", "position": 1, "medium_type": None, "preferred": None,
         "contact_type": None,
         "city": "İSTANBUL(Anadolu)", "state_or_province": None, "country": "Türkiye",
         "post_code": None,
         "street1": "içerenköy", "street2": None, "phone_number": "5xxxxxxxxx", "fax_number": None,
         "email_address": None,
         "social_network_id": "11111111111", "valid_from": None, "valid_to": None,
         "valid_from_date": None, "valid_to_date": None, "extra": {}}],
    "subscriptions": [
        {"subscription_id": "123462", "agreement_type": "Kiralama", "document_number": "108999",
         "name": "RAMAZAN ÖZEKİNCİ",
         "status": "Active", "completion_start": datetime.datetime(2021, 8, 12, 21, tzinfo=_UTC),
         "completion_end": datetime.datetime(2023, 8, 15, 21, tzinfo=_UTC),
         "completion_start_date": datetime.date(2021, 8, 13),
         "completion_end_date": datetime.date(2023, 8, 16), "extra": {}, "source_time": None}],
    "subscription_characteristics": [_characteristic(name, value)
                                     for name, value in _CHARACTERISTICS.items()],
    "engaged_parties": [{"subscription_id": "123462", "customer_id": "134719", "occurrence": 1,
                         **_NO_PARTY}],
}


@pytest.fixture
def applied(rabbitmq_server, db, queues, kopru):
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, CUSTOMER, content_type="application/json")
    rabbitmq_server.publish(queues.subscription, SUBSCRIPTION, content_type="application/json")
    for queue in queues.entities():
        rabbitmq_server.wait_until_empty(queue)
    assert daemon.terminate() == 0
    return db


def _without(row, *names):
    return {name: value for name, value in row.items() if name not in names}


def test_rows_are_exactly_these(applied):
    rows = {table: read_table(applied, table) for table in DATA_TABLES}
    for root in rows["customers"] + rows["subscriptions"]:
        assert len(root["payload_hash"]) >= 16
        assert root["created_at"] == root["updated_at"]
    found = {table: [_without(row, "payload_hash", "created_at", "updated_at")
                     for row in rows[table]] for table in rows}
    assert found == _EXPECTED
    assert applied.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert applied.query("SELECT * FROM kopru.engaged_parties_without_customer") == []


@pytest.mark.parametrize("zone", ["Europe/Istanbul", "UTC", "America/New_York"])
def test_dates_are_the_same_in_every_session(applied, zone):
    with applied.admin() as connection:
        connection.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
        assert connection.execute("""
            SELECT s.completion_start_date::text, s.completion_end_date::text, c.value_date::text
            FROM kopru.subscriptions s
            JOIN kopru.subscription_characteristics c USING (subscription_id)
            WHERE c.name = 'MONTAGE_DATE'""").fetchall() == [
                ("2021-08-13", "2023-08-16", "2021-08-16")]
        assert connection.execute("""
            SELECT (completion_start AT TIME ZONE 'Europe/Istanbul')::text
            FROM kopru.subscriptions""").fetchall() == [("2021-08-13 00:00:00",)]
