-- Keeps customer.mail (old application) and customer.email (new application) equal.
-- Who inserts gives one of the two; the other one has its default, ''.
CREATE TRIGGER customer_email_inserted AFTER INSERT ON customer
WHEN NEW.mail IS NOT NEW.email
BEGIN
  UPDATE customer
  SET email = CASE NEW.email WHEN '' THEN NEW.mail ELSE NEW.email END,
      mail = CASE NEW.email WHEN '' THEN NEW.mail ELSE NEW.email END
  WHERE id = NEW.id;
END;

-- Each of the two below sets the other column to what it has just become, and so does not set off the other one again.
CREATE TRIGGER customer_email_updated AFTER UPDATE OF email ON customer
WHEN NEW.email IS NOT OLD.email AND NEW.mail IS NOT NEW.email
BEGIN
  UPDATE customer SET mail = NEW.email WHERE id = NEW.id;
END;

CREATE TRIGGER customer_mail_updated AFTER UPDATE OF mail ON customer
WHEN NEW.mail IS NOT OLD.mail AND NEW.mail IS NOT NEW.email
BEGIN
  UPDATE customer SET email = NEW.mail WHERE id = NEW.id;
END;
