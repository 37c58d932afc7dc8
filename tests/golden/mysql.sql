-- triphase 0.0.0: triphase sql ff
-- made by me@here, for a bare client: mariadb shop < THIS-FILE
-- not with --force, and not by `source`: the client must stop at the first error
SET NAMES utf8mb4;
SET @triphase_mode = trim(BOTH ',' FROM concat(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(concat(',', @@GLOBAL.sql_mode, ','), ',ANSI_QUOTES,', ','), ',NO_BACKSLASH_ESCAPES,', ','), ',ANSI,', ','), ',ORACLE,', ','), ',MSSQL,', ','), ',DB2,', ','), ',POSTGRESQL,', ','), ',MAXDB,', ','), ',MYSQL323,', ','), ',MYSQL40,', ','), 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'));
SET SESSION sql_mode = @triphase_mode, autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_select_limit = DEFAULT, completion_type = DEFAULT, time_zone = DEFAULT, lock_wait_timeout = 2, innodb_lock_wait_timeout = 2;
SET NAMES utf8mb4;
USE `shop`;
SET @triphase_demand = IF((GET_LOCK('triphase shop 8d9001d32c6a703d', 0) = 1), 'DO 0', 'SELECT 1 FROM `triphase: another run holds the lock; nothing was changed`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
SET @triphase_demand = IF((NOT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = 'shop' AND table_name IN ('triphase_meta', 'triphase_run', 'triphase_ledger', 'triphase_history'))), 'DO 0', 'SELECT 1 FROM `triphase: there is a ledger by now; make this script again`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
CREATE TABLE IF NOT EXISTS `shop`.`triphase_meta` (`key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, `value` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `shop`.`triphase_run` (`id` integer NOT NULL PRIMARY KEY CHECK (id = 1), `run_id` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `who` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `host` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `pid` bigint NOT NULL, `since` datetime(6) NOT NULL, `command` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `session` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `epoch` bigint NOT NULL DEFAULT 0, `lease_until` datetime(6)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `shop`.`triphase_ledger` (`release` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `step` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `name` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `add_state` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'pending', `add_at` datetime(6), `add_detail` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, `simdrop_state` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'pending', `simdrop_at` datetime(6), `simdrop_detail` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, `drop_state` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'pending', `drop_at` datetime(6), `drop_detail` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, `h_add` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, `h_simdrop` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, `h_drop` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, `h_rollback_simdrop` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, `h_rollback_add` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, PRIMARY KEY (`release`, `step`)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE IF NOT EXISTS `shop`.`triphase_history` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `at` datetime(6) NOT NULL, `run_id` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `command` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `who` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `host` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `tool` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `release` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `step` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `verb` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `statement` integer, `hash` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, `outcome` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, `detail` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT INTO `shop`.`triphase_meta` (`key`, `value`) VALUES ('format', '1.0');
START TRANSACTION READ WRITE;
INSERT INTO `shop`.`triphase_run` (id, run_id, who, host, pid, since, command, session) VALUES (1, '', '', '', 0, utc_timestamp(6), '', '') ON DUPLICATE KEY UPDATE id = id;
SET @triphase_quiet = (SELECT 1 FROM `shop`.`triphase_run` WHERE id = 1 FOR UPDATE);
INSERT INTO `shop`.`triphase_run` (`id`, `run_id`, `who`, `host`, `pid`, `since`, `command`, `session`) VALUES (1, 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'me@here', 'here', 7, utc_timestamp(6), 'triphase sql ff', 'script') ON DUPLICATE KEY UPDATE `run_id` = VALUES(`run_id`), `who` = VALUES(`who`), `host` = VALUES(`host`), `pid` = VALUES(`pid`), `since` = VALUES(`since`), `command` = VALUES(`command`), `session` = VALUES(`session`);
UPDATE `shop`.`triphase_run` SET epoch = epoch + 1, lease_until = NULL WHERE id = 1;
COMMIT AND NO CHAIN NO RELEASE;

SET SESSION sql_mode = @triphase_mode, autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_select_limit = DEFAULT, completion_type = DEFAULT, time_zone = DEFAULT, lock_wait_timeout = 2, innodb_lock_wait_timeout = 2;
SET NAMES utf8mb4;
USE `shop`;
START TRANSACTION READ WRITE;
SET @triphase_quiet = (SELECT 1 FROM `shop`.`triphase_run` WHERE `id` = 1 AND `run_id` = 'rrrrrrrrrrrrrrrrrrrrrrrrrr' LOCK IN SHARE MODE);
SET @triphase_demand = IF((@triphase_quiet = 1), 'DO 0', 'SELECT 1 FROM `triphase: the lock is another run''s now`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
SET @triphase_was = @@SESSION.sql_mode, @triphase_client = @@SESSION.character_set_client, @triphase_results = @@SESSION.character_set_results, @triphase_collation = @@SESSION.collation_connection;
SET SESSION sql_mode = @triphase_mode;
SET NAMES utf8mb4;
INSERT INTO `shop`.`triphase_ledger` (`release`, `step`, `name`, `add_state`, `add_at`, `add_detail`) VALUES ('v1', 'one', 'one', 'running', utc_timestamp(6), '{"who":"me@here","seq":1,"trying":0}') ON DUPLICATE KEY UPDATE `name` = VALUES(`name`), `add_state` = VALUES(`add_state`), `add_at` = VALUES(`add_at`), `add_detail` = VALUES(`add_detail`);
INSERT INTO `shop`.`triphase_history` (`at`, `run_id`, `command`, `who`, `host`, `tool`, `release`, `step`, `verb`, `statement`, `hash`, `outcome`, `detail`) VALUES (utc_timestamp(6), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase sql ff', 'me@here', 'here', '0.0.0', 'v1', 'one', 'add', 1, NULL, 'attempting', NULL);
SET SESSION sql_mode = @triphase_was, character_set_client = @triphase_client, character_set_results = @triphase_results, collation_connection = @triphase_collation;
COMMIT AND NO CHAIN NO RELEASE;
SET @triphase_demand = IF((IS_USED_LOCK('triphase shop 8d9001d32c6a703d') = CONNECTION_ID()), 'DO 0', 'SELECT 1 FROM `triphase: the lock is another run''s now`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
CREATE TABLE t (a integer) -- why
;
START TRANSACTION READ WRITE;
SET @triphase_quiet = (SELECT 1 FROM `shop`.`triphase_run` WHERE `id` = 1 AND `run_id` = 'rrrrrrrrrrrrrrrrrrrrrrrrrr' LOCK IN SHARE MODE);
SET @triphase_demand = IF((@triphase_quiet = 1), 'DO 0', 'SELECT 1 FROM `triphase: the lock is another run''s now`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
COMMIT AND NO CHAIN NO RELEASE;

SET SESSION sql_mode = @triphase_mode, autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_select_limit = DEFAULT, completion_type = DEFAULT, time_zone = DEFAULT, lock_wait_timeout = 2, innodb_lock_wait_timeout = 2;
SET NAMES utf8mb4;
USE `shop`;
SET @triphase_demand = IF((IS_USED_LOCK('triphase shop 8d9001d32c6a703d') = CONNECTION_ID()), 'DO 0', 'SELECT 1 FROM `triphase: the lock is another run''s now`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
DELIMITER ///
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; END // 2
///
DELIMITER ;
START TRANSACTION READ WRITE;
SET @triphase_quiet = (SELECT 1 FROM `shop`.`triphase_run` WHERE `id` = 1 AND `run_id` = 'rrrrrrrrrrrrrrrrrrrrrrrrrr' LOCK IN SHARE MODE);
SET @triphase_demand = IF((@triphase_quiet = 1), 'DO 0', 'SELECT 1 FROM `triphase: the lock is another run''s now`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
COMMIT AND NO CHAIN NO RELEASE;

SET SESSION sql_mode = @triphase_mode, autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_select_limit = DEFAULT, completion_type = DEFAULT, time_zone = DEFAULT, lock_wait_timeout = 2, innodb_lock_wait_timeout = 2;
SET NAMES utf8mb4;
USE `shop`;
SET @a = 1;
START TRANSACTION READ WRITE;
SET @triphase_quiet = (SELECT 1 FROM `shop`.`triphase_run` WHERE `id` = 1 AND `run_id` = 'rrrrrrrrrrrrrrrrrrrrrrrrrr' LOCK IN SHARE MODE);
SET @triphase_demand = IF((@triphase_quiet = 1), 'DO 0', 'SELECT 1 FROM `triphase: the lock is another run''s now`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
SET @triphase_found = JSON_ARRAY((
SELECT 1
));
SET @triphase_demand = IF((CASE WHEN JSON_TYPE(JSON_EXTRACT(@triphase_found, '$[0]')) = 'BOOLEAN' THEN JSON_EXTRACT(@triphase_found, '$[0]') = true WHEN JSON_TYPE(JSON_EXTRACT(@triphase_found, '$[0]')) IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') THEN JSON_EXTRACT(@triphase_found, '$[0]') <> 0 ELSE 0 END), 'DO 0', 'SELECT 1 FROM `triphase: expect: not one value that is true or not zero`');
PREPARE triphase_demand FROM @triphase_demand;
EXECUTE triphase_demand;
DEALLOCATE PREPARE triphase_demand;
INSERT INTO t VALUES ('it\'s');
SET @triphase_was = @@SESSION.sql_mode, @triphase_client = @@SESSION.character_set_client, @triphase_results = @@SESSION.character_set_results, @triphase_collation = @@SESSION.collation_connection;
SET SESSION sql_mode = @triphase_mode;
SET NAMES utf8mb4;
INSERT INTO `shop`.`triphase_ledger` (`release`, `step`, `name`, `add_state`, `add_at`, `add_detail`) VALUES ('v1', 'one', 'one', 'done', utc_timestamp(6), '{"who":"me@here","seq":1}') ON DUPLICATE KEY UPDATE `name` = VALUES(`name`), `add_state` = VALUES(`add_state`), `add_at` = VALUES(`add_at`), `add_detail` = VALUES(`add_detail`);
INSERT INTO `shop`.`triphase_history` (`at`, `run_id`, `command`, `who`, `host`, `tool`, `release`, `step`, `verb`, `statement`, `hash`, `outcome`, `detail`) VALUES (utc_timestamp(6), 'rrrrrrrrrrrrrrrrrrrrrrrrrr', 'triphase sql ff', 'me@here', 'here', '0.0.0', 'v1', 'one', 'add', NULL, NULL, 'done', NULL);
SET SESSION sql_mode = @triphase_was, character_set_client = @triphase_client, character_set_results = @triphase_results, collation_connection = @triphase_collation;
COMMIT AND NO CHAIN NO RELEASE;
DO RELEASE_LOCK('triphase shop 8d9001d32c6a703d');
