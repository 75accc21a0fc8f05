-- An outbox for Millrace: a transaction of yours inserts here what the log is to have, and commits both or neither.
-- Run it in the database of your shop; give Millrace a role with SELECT, UPDATE and DELETE on the table.

CREATE TABLE outbox (
  id           bigserial PRIMARY KEY,
  -- for example order.confirmed; docs/outbox.md lists them
  topic        text NOT NULL,
  -- may be left out: it is the event's own, and is checked where it is given
  key          text,
  -- the record as JSON; make the column bytea for Avro in Confluent framing
  payload      jsonb NOT NULL,
  -- {"correlationId": "…", "traceparent": "…"}
  headers      jsonb,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- set by Millrace once the log has it
  published_at timestamptz,
  -- why it can be no record of its topic; mend the row and set this to NULL, and it is tried again
  refused      text
);

CREATE INDEX outbox_waiting ON outbox (id) WHERE published_at IS NULL AND refused IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- Millrace looks every second; told so, it looks at once.
CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NOTIFY outbox;
  RETURN NULL;
END
$$;

CREATE TRIGGER outbox_notify AFTER INSERT ON outbox
  FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();
