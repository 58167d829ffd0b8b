-- Deploy kopru:02-customers to pg
-- requires: 01-schema
-- What the notifications of the customer queue become.

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

CREATE TABLE kopru.customers (
    customer_id  text COLLATE "C" NOT NULL,
    status       text,
    name         text,
    extra        jsonb NOT NULL DEFAULT '{}',
    payload_hash bytea,
    source_time  timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT customers_pkey PRIMARY KEY (customer_id)
) WITH (fillfactor = 85);
COMMENT ON TABLE kopru.customers IS
    'Customers of the ERP, one row each, as the last notification left them. Values are stored as '
    'sent. A column is null if the ERP never sent it, sent null, or sent a value that does not fit '
    'the column (the value is then in extra).';
COMMENT ON COLUMN kopru.customers.customer_id IS
    'Id of the customer in the ERP, exactly as sent (payload: id). At most 255 bytes.';
COMMENT ON COLUMN kopru.customers.status IS
    'Active or Passive, as far as the ERP''s documentation says (payload: status). A deactivated '
    'customer stays here as Passive.';
COMMENT ON COLUMN kopru.customers.name IS 'Name of the customer, personal data (payload: name).';
COMMENT ON COLUMN kopru.customers.extra IS
    'What the payload says beyond the columns here, under its own names and nesting; also values '
    'that do not fit their column, and array elements that could not become rows. Never null; {} '
    'if there is nothing.';
COMMENT ON COLUMN kopru.customers.payload_hash IS
    'SHA-256 over the last payload applied, the mapping and the time zone; an identical payload '
    'writes nothing. Null: the next payload is applied whatever it says.';
COMMENT ON COLUMN kopru.customers.source_time IS
    'AMQP timestamp of the last message applied, which is when the ERP published it. Null: that '
    'message had none.';
COMMENT ON COLUMN kopru.customers.created_at IS
    'When kopru first wrote this customer: the start of that transaction. It says nothing about '
    'the customer''s age in the ERP.';
COMMENT ON COLUMN kopru.customers.updated_at IS
    'When this customer or any of its child rows last changed: the start of that transaction. It '
    'never moves backwards, and stays if a message changed nothing. To extract increments, read '
    'the rows with updated_at >= start of the previous extract - 15 minutes, and merge them by '
    'key.';

CREATE TABLE kopru.contact_mediums (
    customer_id        text COLLATE "C" NOT NULL,
    position           integer NOT NULL,
    medium_type        text,
    preferred          boolean,
    contact_type       text,
    city               text,
    state_or_province  text,
    country            text,
    post_code          text,
    street1            text,
    street2            text,
    phone_number       text,
    fax_number         text,
    email_address      text,
    social_network_id  text,
    valid_from         timestamptz,
    valid_to           timestamptz,
    valid_from_date    date,
    valid_to_date      date,
    extra              jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT contact_mediums_pkey PRIMARY KEY (customer_id, position),
    CONSTRAINT contact_mediums_customer_id_fkey FOREIGN KEY (customer_id)
        REFERENCES kopru.customers (customer_id) ON DELETE CASCADE
) WITH (fillfactor = 85);
COMMENT ON TABLE kopru.contact_mediums IS
    'Ways to reach a customer: address, telephone, e-mail; one row for each element of the '
    'payload''s contactMedium. A notification that has the array replaces the whole set. A column '
    'is null if the ERP did not send it with this element, sent null, or sent a value that does '
    'not fit the column (the value is then in extra). Personal data.';
COMMENT ON COLUMN kopru.contact_mediums.customer_id IS 'The customer to whom it belongs.';
COMMENT ON COLUMN kopru.contact_mediums.position IS
    'Position in the payload''s array, from 1. It does not identify the medium: when the ERP '
    'reorders the array, the rows change their positions.';
COMMENT ON COLUMN kopru.contact_mediums.medium_type IS
    'Kind of medium, in the words of the ERP (payload: contactMedium[].mediumType).';
COMMENT ON COLUMN kopru.contact_mediums.preferred IS
    'Whether the customer prefers this medium (payload: contactMedium[].preferred).';
COMMENT ON COLUMN kopru.contact_mediums.contact_type IS
    'Use of the address, in the words of the ERP (payload: '
    'contactMedium[].characteristic.contactType).';
COMMENT ON COLUMN kopru.contact_mediums.city IS
    'City, in the spelling of the ERP (payload: contactMedium[].characteristic.city).';
COMMENT ON COLUMN kopru.contact_mediums.state_or_province IS
    'State or province (payload: contactMedium[].characteristic.stateOrProvince).';
COMMENT ON COLUMN kopru.contact_mediums.country IS
    'Country, in the spelling of the ERP (payload: contactMedium[].characteristic.country).';
COMMENT ON COLUMN kopru.contact_mediums.post_code IS
    'Post code, as text because leading zeros count (payload: '
    'contactMedium[].characteristic.postCode).';
COMMENT ON COLUMN kopru.contact_mediums.street1 IS
    'First line of the address (payload: contactMedium[].characteristic.street1).';
COMMENT ON COLUMN kopru.contact_mediums.street2 IS
    'Second line of the address (payload: contactMedium[].characteristic.street2).';
COMMENT ON COLUMN kopru.contact_mediums.phone_number IS
    'Telephone number as sent, in no fixed format (payload: '
    'contactMedium[].characteristic.phoneNumber).';
COMMENT ON COLUMN kopru.contact_mediums.fax_number IS
    'Fax number as sent (payload: contactMedium[].characteristic.faxNumber).';
COMMENT ON COLUMN kopru.contact_mediums.email_address IS
    'E-mail address as sent (payload: contactMedium[].characteristic.emailAddress).';
COMMENT ON COLUMN kopru.contact_mediums.social_network_id IS
    'National identity number, despite its name; handle accordingly (payload: '
    'contactMedium[].characteristic.socialNetworkId).';
COMMENT ON COLUMN kopru.contact_mediums.valid_from IS
    'Valid from this instant (payload: contactMedium[].validFor.startDateTime). The ERP mostly '
    'sends a bare date: then it is midnight in the ERP''s time zone (erp.time_zone in kopru''s '
    'configuration), and valid_from_date is the column to read.';
COMMENT ON COLUMN kopru.contact_mediums.valid_to IS
    'Valid until this instant (payload: contactMedium[].validFor.endDateTime). A bare date is '
    'midnight in the ERP''s time zone, the beginning of that day; read valid_to_date.';
COMMENT ON COLUMN kopru.contact_mediums.valid_from_date IS
    'The day of valid_from in the ERP''s time zone: the date as the ERP means it, the same in '
    'every session.';
COMMENT ON COLUMN kopru.contact_mediums.valid_to_date IS
    'The day of valid_to in the ERP''s time zone: the date as the ERP means it, the same in every '
    'session.';
COMMENT ON COLUMN kopru.contact_mediums.extra IS
    'What this element of the payload says beyond the columns here, under its own names and '
    'nesting, and values that do not fit their column. Never null; {} if there is nothing.';

INSERT INTO kopru.schema_version (version, name, min_kopru_version)
    VALUES (2, '02-customers', '0.1.0');

COMMIT;
