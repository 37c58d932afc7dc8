-- Keeps customer.mail (old application) and customer.email (new application) equal. DELIMITER is the client's own command; triphase
-- obeys it, and would find the end of each trigger without it.
DELIMITER //

CREATE TRIGGER customer_email_inserted BEFORE INSERT ON customer FOR EACH ROW
BEGIN
  -- Who inserts gives one of the two; the other one has its default, ''.
  IF NEW.email = '' THEN SET NEW.email = NEW.mail; ELSE SET NEW.mail = NEW.email; END IF;
END//

CREATE TRIGGER customer_email_updated BEFORE UPDATE ON customer FOR EACH ROW
BEGIN
  -- BINARY: a change of case is a change.
  IF NOT (BINARY NEW.email <=> BINARY OLD.email) THEN SET NEW.mail = NEW.email; ELSE SET NEW.email = NEW.mail; END IF;
END//

DELIMITER ;
