-- Deploy kopru:03-subscriptions to pg
-- requires: 02-customers
-- What the notifications of the subscription queue become.

BEGIN;

DO $$
BEGIN
    IF current_user <> 'kopru_owner' THEN
        RAISE EXCEPTION 'current_user is "%", but kopru''s migrations run as kopru_owner',
                current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'set PGOPTIONS=''-c role=kopru_owner'' (sql/roles.sql makes the role)';
    END IF;
END
$$;

-- Rows are updated in place all day. If each page has some free space (fillfactor) and no column
-- that changes has an index, an update stays in its page and touches no index (HOT). So there is no
-- index on updated_at, status or similar columns. Keys compare by bytes (COLLATE "C"), which is
-- quicker, serves LIKE 'abc%', and does not depend on the system's sort orders, which may change.

CREATE TABLE kopru.subscriptions (
    subscription_id       text COLLATE "C" NOT NULL,
    agreement_type        text,
    document_number       text,
    name                  text,
    status                text,
    completion_start      timestamptz,
    completion_end        timestamptz,
    completion_start_date date,
    completion_end_date   date,
    extra                 jsonb NOT NULL DEFAULT '{}',
    payload_hash          bytea,
    source_time           timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subscriptions_pkey PRIMARY KEY (subscription_id)
) WITH (fillfactor = 85);
COMMENT ON TABLE kopru.subscriptions IS
    'Subscriptions (agreements) of the ERP, one row each, as the last notification left them. '
    'Values are stored as sent. A column is null if the ERP never sent it, sent null, or sent a '
    'value that does not fit the column (the value is then in extra).';
COMMENT ON COLUMN kopru.subscriptions.subscription_id IS
    'Id of the subscription in the ERP, exactly as sent (payload: id). At most 255 bytes.';
COMMENT ON COLUMN kopru.subscriptions.agreement_type IS
    'Kind of agreement, in the words of the ERP, e.g. Kiralama (payload: agreementType).';
COMMENT ON COLUMN kopru.subscriptions.document_number IS
    'Number of the contract document, as text (payload: documentNumber).';
COMMENT ON COLUMN kopru.subscriptions.name IS
    'Name on the subscription, personal data (payload: name).';
COMMENT ON COLUMN kopru.subscriptions.status IS
    'State in the words of the ERP, e.g. Active (payload: status).';
COMMENT ON COLUMN kopru.subscriptions.completion_start IS
    'Beginning of the agreement''s term (payload: completionDate.startDateTime). The ERP mostly '
    'sends a bare date: then it is midnight in the ERP''s time zone (erp.time_zone in kopru''s '
    'configuration), and completion_start_date is the column to read.';
COMMENT ON COLUMN kopru.subscriptions.completion_end IS
    'End of the agreement''s term (payload: completionDate.endDateTime). A bare date is midnight '
    'in the ERP''s time zone, the beginning of that day; read completion_end_date.';
COMMENT ON COLUMN kopru.subscriptions.completion_start_date IS
    'The day of completion_start in the ERP''s time zone: the date as the ERP means it, the same '
    'in every session.';
COMMENT ON COLUMN kopru.subscriptions.completion_end_date IS
    'The day of completion_end in the ERP''s time zone: the date as the ERP means it, the same in '
    'every session.';
COMMENT ON COLUMN kopru.subscriptions.extra IS
    'What the payload says beyond the columns here, under its own names and nesting; also values '
    'that do not fit their column, and array elements that could not become rows. Never null; {} '
    'if there is nothing.';
COMMENT ON COLUMN kopru.subscriptions.payload_hash IS
    'SHA-256 over the last payload applied, the mapping and the time zone; an identical payload '
    'writes nothing. Null: the next payload is applied whatever it says.';
COMMENT ON COLUMN kopru.subscriptions.source_time IS
    'AMQP timestamp of the last message applied, which is when the ERP published it. Null: that '
    'message had none.';
COMMENT ON COLUMN kopru.subscriptions.created_at IS
    'When kopru first wrote this subscription: the start of that transaction. It says nothing '
    'about the subscription''s age in the ERP.';
COMMENT ON COLUMN kopru.subscriptions.updated_at IS
    'When this subscription or any of its child rows last changed: the start of that transaction. '
    'It never moves backwards, and stays if a message changed nothing. To extract increments, read '
    'the rows with updated_at >= start of the previous extract - 15 minutes, and merge them by '
    'key.';

CREATE TABLE kopru.subscription_characteristics (
    subscription_id text COLLATE "C" NOT NULL,
    bag             text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    occurrence      integer NOT NULL,
    value_type      text,
    value           text,
    value_numeric   numeric,
    value_date      date,
    value_timestamp timestamptz,
    value_boolean   boolean,
    extra           jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT subscription_characteristics_pkey
        PRIMARY KEY (subscription_id, bag, name, occurrence),
    CONSTRAINT subscription_characteristics_subscription_id_fkey FOREIGN KEY (subscription_id)
        REFERENCES kopru.subscriptions (subscription_id) ON DELETE CASCADE
) WITH (fillfactor = 85);
COMMENT ON TABLE kopru.subscription_characteristics IS
    'Open attributes of a subscription: the name/valueType/value triplets of the payload''s arrays '
    'characteristic and properties. A notification that has one of the arrays replaces the whole '
    'set of that bag. The typed columns repeat value in the type that valueType names; a value '
    'that does not fit its type is in value alone.';
COMMENT ON COLUMN kopru.subscription_characteristics.subscription_id IS
    'The subscription to which it belongs.';
COMMENT ON COLUMN kopru.subscription_characteristics.bag IS
    'The array that it came in: characteristic or properties.';
COMMENT ON COLUMN kopru.subscription_characteristics.name IS
    'Name of the attribute, exactly as sent, e.g. MONTAGE_DATE (payload: characteristic[].name). '
    'At most 255 bytes.';
COMMENT ON COLUMN kopru.subscription_characteristics.occurrence IS
    '1 for the first of that name in that bag, 2 for the second, and so on, in payload order.';
COMMENT ON COLUMN kopru.subscription_characteristics.value_type IS
    'Type that the ERP names, e.g. String, Date, Float (payload: characteristic[].valueType). '
    'Null: not sent.';
COMMENT ON COLUMN kopru.subscription_characteristics.value IS
    'The value as sent; if it is no string, its JSON text (payload: characteristic[].value). Null: '
    'absent or null in the payload.';
COMMENT ON COLUMN kopru.subscription_characteristics.value_numeric IS
    'The value as a number, where value_type is Float, Double, Decimal, Number, Integer, Long or '
    'Int. Null: another type, or no number.';
COMMENT ON COLUMN kopru.subscription_characteristics.value_date IS
    'The value as a date, where value_type is Date, DateTime or Timestamp: the day in the ERP''s '
    'time zone, the same in every session. Null: another type, or no date.';
COMMENT ON COLUMN kopru.subscription_characteristics.value_timestamp IS
    'The value as an instant, where value_type is DateTime or Timestamp. A bare date is midnight '
    'in the ERP''s time zone (erp.time_zone in kopru''s configuration); read value_date. Null: '
    'another type, or no time.';
COMMENT ON COLUMN kopru.subscription_characteristics.value_boolean IS
    'The value as true or false, where value_type is Boolean. Null: another type, or neither.';
COMMENT ON COLUMN kopru.subscription_characteristics.extra IS
    'What this element of the payload says beyond the columns here, under its own names and '
    'nesting. Never null; {} if there is nothing.';

CREATE TABLE kopru.engaged_parties (
    subscription_id text COLLATE "C" NOT NULL,
    customer_id     text COLLATE "C" NOT NULL,
    occurrence      integer NOT NULL,
    name            text,
    role            text,
    referred_type   text,
    extra           jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT engaged_parties_pkey PRIMARY KEY (subscription_id, customer_id, occurrence),
    CONSTRAINT engaged_parties_subscription_id_fkey FOREIGN KEY (subscription_id)
        REFERENCES kopru.subscriptions (subscription_id) ON DELETE CASCADE
) WITH (fillfactor = 85);
-- This index leads from a customer to the subscriptions. customer_id is part of the key and never
-- updated, so updates stay HOT.
CREATE INDEX engaged_parties_customer_id_idx ON kopru.engaged_parties (customer_id);
COMMENT ON TABLE kopru.engaged_parties IS
    'Customers engaged in a subscription, one row for each element of the payload''s engagedParty. '
    'A notification that has the array replaces the whole set. A column is null if the ERP did not '
    'send it with this element, sent null, or sent a value that does not fit the column (the value '
    'is then in extra).';
COMMENT ON COLUMN kopru.engaged_parties.subscription_id IS 'The subscription.';
COMMENT ON COLUMN kopru.engaged_parties.customer_id IS
    'Id of the customer in the ERP (payload: engagedParty[].id). There is no foreign key: the two '
    'queues have no order between them, so the customer may come later, or never; see '
    'engaged_parties_without_customer. At most 255 bytes.';
COMMENT ON COLUMN kopru.engaged_parties.occurrence IS
    '1 for the first element with that customer, 2 for the second, and so on, in payload order.';
COMMENT ON COLUMN kopru.engaged_parties.name IS
    'Name of the party as the subscription gives it, personal data (payload: engagedParty[].name).';
COMMENT ON COLUMN kopru.engaged_parties.role IS
    'Role of the party, in the words of the ERP (payload: engagedParty[].role).';
COMMENT ON COLUMN kopru.engaged_parties.referred_type IS
    'What kind of thing the id refers to (payload: engagedParty[].@referredType).';
COMMENT ON COLUMN kopru.engaged_parties.extra IS
    'What this element of the payload says beyond the columns here, under its own names and '
    'nesting, and values that do not fit their column. Never null; {} if there is nothing.';

-- A view runs with its owner's rights, so access to it is granted separately (06-grants). It shows
-- only keys: who may see more joins the tables, whose other columns can change without touching
-- this view.
CREATE VIEW kopru.engaged_parties_without_customer AS
    SELECT party.subscription_id, party.customer_id, party.occurrence
    FROM kopru.engaged_parties AS party
    WHERE NOT EXISTS (SELECT FROM kopru.customers AS customer
                      WHERE customer.customer_id = party.customer_id);
COMMENT ON VIEW kopru.engaged_parties_without_customer IS
    'Engaged parties whose customer kopru has not seen yet. That is normal for a moment, since the '
    'queues have no order between them; rows that stay point at customers that the ERP never '
    'announced.';
COMMENT ON COLUMN kopru.engaged_parties_without_customer.subscription_id IS
    'The subscription, as in engaged_parties.';
COMMENT ON COLUMN kopru.engaged_parties_without_customer.customer_id IS
    'Id of the customer that is not in customers.';
COMMENT ON COLUMN kopru.engaged_parties_without_customer.occurrence IS
    'Which row of that customer in the subscription, as in engaged_parties.';

INSERT INTO kopru.schema_version (version, name, min_kopru_version)
    VALUES (3, '03-subscriptions', '0.1.0');

COMMIT;
