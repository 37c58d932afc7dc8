-- Keeps customer.mail (old application) and customer.email (new application) equal.
CREATE FUNCTION customer_email_sync() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    -- Who inserts gives one of the two; the other one has its default, ''.
    IF NEW.email = '' THEN NEW.email := NEW.mail; ELSE NEW.mail := NEW.email; END IF;
  ELSIF NEW.email IS DISTINCT FROM OLD.email THEN
    NEW.mail := NEW.email;
  ELSE
    NEW.email := NEW.mail;
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER customer_email_sync BEFORE INSERT OR UPDATE ON customer
FOR EACH ROW EXECUTE FUNCTION customer_email_sync();
