-- Open live streams end with their sign-in, in every process of the gateway. A change of a sign-in, or of a person,
-- sends its id on the channel gateway_sign_ins.
CREATE FUNCTION gateway.notify_sign_in() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gateway_sign_ins', NEW.id::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER sign_in_ended
 AFTER UPDATE OF ended_at ON gateway.sessions
   FOR EACH ROW WHEN (NEW.ended_at IS DISTINCT FROM OLD.ended_at)
       EXECUTE FUNCTION gateway.notify_sign_in();

CREATE TRIGGER person_changed
 AFTER UPDATE ON gateway.documents
   FOR EACH ROW WHEN (NEW.kind = 'person')
       EXECUTE FUNCTION gateway.notify_sign_in();
