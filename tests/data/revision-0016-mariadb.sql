-- What revision 0016, the last before the release, added to the existing site's tables, as the
-- database reported it. Not to be changed.
CREATE TABLE `account_record` (
  `user_id` int(11) NOT NULL,
  `disabled_at` datetime(3) DEFAULT NULL,
  `github_id` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`user_id`),
  CONSTRAINT `account_record_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `api_alembic_version` (
  `version_num` varchar(32) NOT NULL,
  PRIMARY KEY (`version_num`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `audit_event` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `at` datetime(3) NOT NULL,
  `account_id` int(11) DEFAULT NULL,
  `account_name` varchar(255) DEFAULT NULL,
  `action` varchar(50) NOT NULL,
  `subject_type` varchar(50) NOT NULL,
  `subject_id` int(11) DEFAULT NULL,
  `details` text NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_audit_event_account` (`account_id`),
  KEY `ix_audit_event_subject` (`subject_type`,`subject_id`),
  KEY `ix_audit_event_account_name` (`account_name`),
  KEY `ix_audit_event_action` (`action`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `baseline_approval` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `run_id` int(11) NOT NULL,
  `sample_id` int(11) NOT NULL,
  `regression_id` int(11) NOT NULL,
  `output_id` int(11) NOT NULL,
  `extension` varchar(64) NOT NULL,
  `mode` varchar(50) NOT NULL,
  `apply_to_variants` tinyint(1) NOT NULL,
  `file_hash` text DEFAULT NULL,
  `replaced_hash` text DEFAULT NULL,
  `reason` varchar(500) DEFAULT NULL,
  `requester_id` int(11) NOT NULL,
  `requester_name` varchar(255) NOT NULL,
  `requester_email` varchar(255) NOT NULL,
  `created_at` datetime(3) NOT NULL,
  `undoes_id` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_baseline_approval_undoes` (`undoes_id`),
  KEY `ix_baseline_approval_requester` (`requester_email`),
  KEY `ix_baseline_approval_regression` (`regression_id`),
  CONSTRAINT `baseline_approval_ibfk_1` FOREIGN KEY (`undoes_id`) REFERENCES `baseline_approval` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `baseline_change` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `approval_id` int(11) NOT NULL,
  `regression_id` int(11) DEFAULT NULL,
  `output_id` int(11) NOT NULL,
  `replaced_hash` text DEFAULT NULL,
  `new_hash` text DEFAULT NULL,
  `variant_id` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_baseline_change_approval` (`approval_id`),
  CONSTRAINT `baseline_change_ibfk_1` FOREIGN KEY (`approval_id`) REFERENCES `baseline_approval` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `baseline_decision` (
  `approval_id` int(11) NOT NULL,
  `decision` varchar(50) NOT NULL,
  `account_id` int(11) NOT NULL,
  `account_name` varchar(255) NOT NULL,
  `account_email` varchar(255) NOT NULL,
  `by_requester` tinyint(1) NOT NULL,
  `reason` varchar(500) DEFAULT NULL,
  `decided_at` datetime(3) NOT NULL,
  PRIMARY KEY (`approval_id`),
  CONSTRAINT `baseline_decision_ibfk_1` FOREIGN KEY (`approval_id`) REFERENCES `baseline_approval` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `baseline_revocation` (
  `output_id` int(11) NOT NULL,
  `file_hash` varchar(64) NOT NULL,
  `revoked_at` datetime(3) NOT NULL,
  PRIMARY KEY (`output_id`,`file_hash`),
  CONSTRAINT `baseline_revocation_ibfk_1` FOREIGN KEY (`output_id`) REFERENCES `regression_test_output` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `diff_classification` (
  `expected_hash` varchar(64) NOT NULL,
  `actual_hash` varchar(64) NOT NULL,
  `extension` varchar(64) NOT NULL,
  `rules_version` int(11) NOT NULL,
  `kind` varchar(50) DEFAULT NULL,
  `message` text DEFAULT NULL,
  `cue_number` int(11) DEFAULT NULL,
  `start_ms` int(11) DEFAULT NULL,
  `details` mediumtext DEFAULT NULL,
  `classified_at` datetime(3) NOT NULL,
  PRIMARY KEY (`expected_hash`,`actual_hash`,`extension`),
  KEY `ix_diff_classification_kind` (`kind`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `execute_grant` (
  `token_id` int(11) NOT NULL,
  `granted_at` datetime(3) NOT NULL,
  PRIMARY KEY (`token_id`),
  CONSTRAINT `execute_grant_ibfk_1` FOREIGN KEY (`token_id`) REFERENCES `api_token` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `failing_result` (
  `test_id` int(11) NOT NULL,
  `regression_test_id` int(11) NOT NULL,
  `status` varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `errors` int(11) NOT NULL,
  `signature` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`test_id`,`regression_test_id`),
  KEY `ix_failing_result_test` (`regression_test_id`,`status`,`test_id`),
  CONSTRAINT `failing_result_ibfk_1` FOREIGN KEY (`test_id`) REFERENCES `test` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `idempotency_key` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `account_id` int(11) NOT NULL,
  `key_hash` varchar(64) NOT NULL,
  `request_hash` varchar(64) NOT NULL,
  `created_at` datetime(3) NOT NULL,
  `run_id` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_idempotency_key` (`account_id`,`key_hash`),
  CONSTRAINT `idempotency_key_ibfk_1` FOREIGN KEY (`account_id`) REFERENCES `user` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `lost_lease` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `platform` varchar(50) NOT NULL,
  `lost_at` datetime(3) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_lost_lease_platform` (`platform`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `open_run` (
  `test_id` int(11) NOT NULL,
  `settled` tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (`test_id`),
  KEY `ix_open_run_settled` (`settled`),
  CONSTRAINT `open_run_ibfk_1` FOREIGN KEY (`test_id`) REFERENCES `test` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `progress_record` (
  `progress_id` int(11) NOT NULL,
  `cause` varchar(50) NOT NULL,
  `account_id` int(11) DEFAULT NULL,
  `attempt_id` int(11) DEFAULT NULL,
  `step` int(11) DEFAULT NULL,
  PRIMARY KEY (`progress_id`),
  CONSTRAINT `progress_record_ibfk_1` FOREIGN KEY (`progress_id`) REFERENCES `test_progress` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `result_record` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `test_id` int(11) NOT NULL,
  `regression_test_id` int(11) NOT NULL,
  `attempt_id` int(11) DEFAULT NULL,
  `outcome` varchar(50) NOT NULL,
  `signal` varchar(20) DEFAULT NULL,
  `message` text DEFAULT NULL,
  `tail` text DEFAULT NULL,
  `started_at` datetime(3) DEFAULT NULL,
  `recorded_at` datetime(3) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_result_record` (`test_id`,`regression_test_id`),
  CONSTRAINT `result_record_ibfk_1` FOREIGN KEY (`test_id`, `regression_test_id`) REFERENCES `test_result` (`test_id`, `regression_test_id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `rollup_change` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `lowest` int(11) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `rollup_mark` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `kind` varchar(1) NOT NULL,
  `run_id` int(11) DEFAULT NULL,
  `regression_id` int(11) DEFAULT NULL,
  `output_id` int(11) DEFAULT NULL,
  `file_hash` varchar(64) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_rollup_mark_run` (`run_id`),
  KEY `ix_rollup_mark_kind` (`kind`,`run_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `rollup_state` (
  `id` int(11) NOT NULL,
  `generation` bigint(20) NOT NULL DEFAULT 0,
  `change_id` bigint(20) NOT NULL DEFAULT 0,
  `definitions_id` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `run_attempt` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `test_id` int(11) NOT NULL,
  `number` int(11) NOT NULL,
  `platform` varchar(50) NOT NULL,
  `runner_name` varchar(100) NOT NULL,
  `account_id` int(11) DEFAULT NULL,
  `credential_hash` varchar(64) NOT NULL,
  `claimed_at` datetime(3) NOT NULL,
  `deadline_at` datetime(3) NOT NULL,
  `stage` varchar(50) DEFAULT NULL,
  `running_tests` text DEFAULT NULL,
  `ended_at` datetime(3) DEFAULT NULL,
  `end_reason` varchar(50) DEFAULT NULL,
  `error_type` varchar(50) DEFAULT NULL,
  `error_message` text DEFAULT NULL,
  `error_stack` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_run_attempt_number` (`test_id`,`number`),
  KEY `ix_run_attempt_platform` (`platform`,`id`),
  CONSTRAINT `run_attempt_ibfk_1` FOREIGN KEY (`test_id`) REFERENCES `test` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `run_log` (
  `test_id` int(11) NOT NULL,
  `size` bigint(20) NOT NULL,
  `sha256` varchar(64) NOT NULL,
  `kept_at` datetime(3) NOT NULL,
  PRIMARY KEY (`test_id`),
  CONSTRAINT `run_log_ibfk_1` FOREIGN KEY (`test_id`) REFERENCES `test` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `run_record` (
  `test_id` int(11) NOT NULL,
  `created_at` datetime(3) NOT NULL,
  `attempts` int(11) NOT NULL DEFAULT 0,
  `lost_attempts` int(11) NOT NULL DEFAULT 0,
  `lease_expires_at` datetime(3) DEFAULT NULL,
  `held_progress_id` int(11) DEFAULT NULL,
  `retry_of` int(11) DEFAULT NULL,
  `reason` varchar(255) DEFAULT NULL,
  `environment_id` varchar(50) DEFAULT NULL,
  `failed_attempts` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`test_id`),
  KEY `ix_run_record_created_at` (`created_at`),
  CONSTRAINT `run_record_ibfk_1` FOREIGN KEY (`test_id`) REFERENCES `test` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `run_rollup` (
  `test_id` int(11) NOT NULL,
  `status` varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `ended_as` varchar(20) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL,
  `started_at` datetime(3) DEFAULT NULL,
  `ended_at` datetime(3) DEFAULT NULL,
  `end_failure` varchar(20) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL,
  `progress_id` int(11) DEFAULT NULL,
  `results` int(11) NOT NULL,
  `failed` int(11) NOT NULL,
  `missing_output` int(11) NOT NULL,
  `skipped` int(11) DEFAULT NULL,
  `errors` int(11) NOT NULL,
  `set_id` int(11) DEFAULT NULL,
  `created_at` datetime(3) NOT NULL,
  `platform` varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `fork_id` int(11) NOT NULL,
  `branch` varbinary(400) NOT NULL,
  `commit_sha` varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `pull_request` int(11) DEFAULT NULL,
  `requester_id` int(11) DEFAULT NULL,
  PRIMARY KEY (`test_id`),
  KEY `ix_run_rollup_started` (`started_at`,`test_id`,`status`,`platform`),
  KEY `ix_run_rollup_branch` (`branch`,`created_at`,`test_id`,`status`,`platform`),
  KEY `ix_run_rollup_of_branch` (`branch`,`test_id`,`set_id`,`status`,`platform`),
  KEY `ix_run_rollup_commit` (`commit_sha`,`created_at`,`test_id`),
  KEY `ix_run_rollup_set` (`set_id`,`test_id`),
  KEY `ix_run_rollup_branches` (`fork_id`,`branch`,`test_id`,`created_at`),
  KEY `ix_run_rollup_status` (`status`,`created_at`,`test_id`,`platform`),
  KEY `ix_run_rollup_fork` (`fork_id`,`created_at`,`test_id`,`status`,`platform`),
  KEY `ix_run_rollup_pull_request` (`pull_request`,`created_at`,`test_id`),
  KEY `ix_run_rollup_created` (`created_at`,`test_id`,`status`,`platform`,`set_id`),
  KEY `ix_run_rollup_platform` (`platform`,`created_at`,`test_id`,`status`),
  KEY `ix_run_rollup_of_status` (`status`,`test_id`,`set_id`,`platform`),
  CONSTRAINT `run_rollup_ibfk_1` FOREIGN KEY (`test_id`) REFERENCES `test` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `run_set` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `digest` varchar(64) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_run_set_digest` (`digest`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `run_set_member` (
  `regression_test_id` int(11) NOT NULL,
  `set_id` int(11) NOT NULL,
  PRIMARY KEY (`regression_test_id`,`set_id`),
  KEY `ix_run_set_member_set` (`set_id`,`regression_test_id`),
  CONSTRAINT `run_set_member_ibfk_1` FOREIGN KEY (`set_id`) REFERENCES `run_set` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE INDEX ix_customized_test_member ON `customized_test` (`test_id`,`regression_id`);
CREATE INDEX ix_test_result_runtime ON `test_result` (`regression_test_id`,`test_id`,`runtime`);
CREATE TRIGGER rollup_revocation_insert_row AFTER INSERT ON `baseline_revocation` FOR EACH ROW BEGIN IF NEW.output_id IS NOT NULL AND NEW.file_hash IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', NEW.output_id, substr(NEW.file_hash, 1, 64)); END IF; END;
CREATE TRIGGER rollup_catalogue_baseline_revocation_insert AFTER INSERT ON `baseline_revocation` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_revocation_update_row AFTER UPDATE ON `baseline_revocation` FOR EACH ROW BEGIN IF OLD.output_id IS NOT NULL AND OLD.file_hash IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', OLD.output_id, substr(OLD.file_hash, 1, 64)); END IF; IF NEW.output_id IS NOT NULL AND NEW.file_hash IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', NEW.output_id, substr(NEW.file_hash, 1, 64)); END IF; END;
CREATE TRIGGER rollup_catalogue_baseline_revocation_update AFTER UPDATE ON `baseline_revocation` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_revocation_delete_row BEFORE DELETE ON `baseline_revocation` FOR EACH ROW BEGIN IF OLD.output_id IS NOT NULL AND OLD.file_hash IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', OLD.output_id, substr(OLD.file_hash, 1, 64)); END IF; END;
CREATE TRIGGER rollup_catalogue_baseline_revocation_delete BEFORE DELETE ON `baseline_revocation` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_category_insert AFTER INSERT ON `category` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_category_update AFTER UPDATE ON `category` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_category_delete BEFORE DELETE ON `category` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_customized_insert_row AFTER INSERT ON `customized_test` FOR EACH ROW BEGIN IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_customized_update_row AFTER UPDATE ON `customized_test` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.test_id); END IF; IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_customized_delete_row BEFORE DELETE ON `customized_test` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.test_id); END IF; END;
CREATE TRIGGER rollup_fork_update AFTER UPDATE ON `fork` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', t.id FROM test t WHERE t.fork_id = NEW.id AND NOT (hex(OLD.github) <=> hex(NEW.github)); END;
CREATE TRIGGER rollup_fork_move AFTER UPDATE ON `fork` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', t.id FROM test t WHERE OLD.id <> NEW.id AND t.fork_id IN (OLD.id, NEW.id); END;
CREATE TRIGGER rollup_catalogue_regression_test_insert AFTER INSERT ON `regression_test` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_test_update_row AFTER UPDATE ON `regression_test` FOR EACH ROW BEGIN IF NEW.id IS NOT NULL AND NOT (OLD.expected_rc <=> NEW.expected_rc AND OLD.id <=> NEW.id) THEN INSERT INTO rollup_mark (kind, regression_id) VALUES ('d', NEW.id); END IF; INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id IN (NEW.id) AND (OLD.sample_id IS NULL) <> (NEW.sample_id IS NULL); INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', c.test_id FROM customized_test c WHERE c.test_id IS NOT NULL AND c.regression_id IN (NEW.id) AND (OLD.sample_id IS NULL) <> (NEW.sample_id IS NULL); END;
CREATE TRIGGER rollup_test_move AFTER UPDATE ON `regression_test` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id; INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', c.test_id FROM customized_test c WHERE c.test_id IS NOT NULL AND c.regression_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id; END;
CREATE TRIGGER rollup_catalogue_regression_test_update_row AFTER UPDATE ON `regression_test` FOR EACH ROW BEGIN IF (NOT (hex(OLD.id) <=> hex(NEW.id) AND hex(OLD.sample_id) <=> hex(NEW.sample_id) AND hex(OLD.command) <=> hex(NEW.command) AND hex(OLD.input_type) <=> hex(NEW.input_type) AND hex(OLD.output_type) <=> hex(NEW.output_type) AND hex(OLD.expected_rc) <=> hex(NEW.expected_rc) AND hex(OLD.active) <=> hex(NEW.active) AND hex(OLD.description) <=> hex(NEW.description)) OR NOT ((OLD.id IS NULL) = (NEW.id IS NULL) AND (OLD.sample_id IS NULL) = (NEW.sample_id IS NULL) AND (OLD.command IS NULL) = (NEW.command IS NULL) AND (OLD.input_type IS NULL) = (NEW.input_type IS NULL) AND (OLD.output_type IS NULL) = (NEW.output_type IS NULL) AND (OLD.expected_rc IS NULL) = (NEW.expected_rc IS NULL) AND (OLD.active IS NULL) = (NEW.active IS NULL) AND (OLD.description IS NULL) = (NEW.description IS NULL))) THEN INSERT INTO rollup_mark (kind) VALUES ('c'); END IF; END;
CREATE TRIGGER rollup_test_delete BEFORE DELETE ON `regression_test` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id IN (OLD.id); INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', c.test_id FROM customized_test c WHERE c.test_id IS NOT NULL AND c.regression_id IN (OLD.id); END;
CREATE TRIGGER rollup_catalogue_regression_test_delete BEFORE DELETE ON `regression_test` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_category_insert AFTER INSERT ON `regression_test_category` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_category_update AFTER UPDATE ON `regression_test_category` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_category_delete BEFORE DELETE ON `regression_test_category` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_output_insert_row AFTER INSERT ON `regression_test_output` FOR EACH ROW BEGIN IF NEW.regression_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, regression_id) VALUES ('d', NEW.regression_id); END IF; END;
CREATE TRIGGER rollup_catalogue_regression_test_output_insert AFTER INSERT ON `regression_test_output` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_output_update_row AFTER UPDATE ON `regression_test_output` FOR EACH ROW BEGIN IF NEW.id IS NOT NULL AND OLD.correct IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', NEW.id, substr(OLD.correct, 1, 64)); END IF; IF NEW.id IS NOT NULL AND NEW.correct IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', NEW.id, substr(NEW.correct, 1, 64)); END IF; IF OLD.regression_id IS NOT NULL AND NOT (OLD.regression_id <=> NEW.regression_id AND COALESCE(OLD.`ignore`, 0) <=> COALESCE(NEW.`ignore`, 0) AND OLD.id <=> NEW.id) THEN INSERT INTO rollup_mark (kind, regression_id) VALUES ('d', OLD.regression_id); END IF; IF NEW.regression_id IS NOT NULL AND NOT (OLD.regression_id <=> NEW.regression_id AND COALESCE(OLD.`ignore`, 0) <=> COALESCE(NEW.`ignore`, 0) AND OLD.id <=> NEW.id) THEN INSERT INTO rollup_mark (kind, regression_id) VALUES ('d', NEW.regression_id); END IF; END;
CREATE TRIGGER rollup_sentinel_move AFTER UPDATE ON `regression_test_output` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', f.test_id FROM test_result_file f WHERE f.regression_test_output_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id AND -1 IN (OLD.id, NEW.id); END;
CREATE TRIGGER rollup_catalogue_regression_test_output_update AFTER UPDATE ON `regression_test_output` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_output_delete_row BEFORE DELETE ON `regression_test_output` FOR EACH ROW BEGIN IF OLD.regression_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, regression_id) VALUES ('d', OLD.regression_id); END IF; END;
CREATE TRIGGER rollup_sentinel_delete BEFORE DELETE ON `regression_test_output` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', f.test_id FROM test_result_file f WHERE f.regression_test_output_id IN (OLD.id, OLD.id) AND OLD.id = -1; END;
CREATE TRIGGER rollup_catalogue_regression_test_output_delete BEFORE DELETE ON `regression_test_output` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_variant_insert_row AFTER INSERT ON `regression_test_output_files` FOR EACH ROW BEGIN IF NEW.regression_test_output_id IS NOT NULL AND NEW.file_hashes IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', NEW.regression_test_output_id, substr(NEW.file_hashes, 1, 64)); END IF; END;
CREATE TRIGGER rollup_catalogue_regression_test_output_files_insert AFTER INSERT ON `regression_test_output_files` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_variant_update_row AFTER UPDATE ON `regression_test_output_files` FOR EACH ROW BEGIN IF OLD.regression_test_output_id IS NOT NULL AND OLD.file_hashes IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', OLD.regression_test_output_id, substr(OLD.file_hashes, 1, 64)); END IF; IF NEW.regression_test_output_id IS NOT NULL AND NEW.file_hashes IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', NEW.regression_test_output_id, substr(NEW.file_hashes, 1, 64)); END IF; END;
CREATE TRIGGER rollup_catalogue_regression_test_output_files_update AFTER UPDATE ON `regression_test_output_files` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_variant_delete_row BEFORE DELETE ON `regression_test_output_files` FOR EACH ROW BEGIN IF OLD.regression_test_output_id IS NOT NULL AND OLD.file_hashes IS NOT NULL THEN INSERT INTO rollup_mark (kind, output_id, file_hash) VALUES ('h', OLD.regression_test_output_id, substr(OLD.file_hashes, 1, 64)); END IF; END;
CREATE TRIGGER rollup_catalogue_regression_test_output_files_delete BEFORE DELETE ON `regression_test_output_files` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_settled AFTER DELETE ON `rollup_mark` FOR EACH ROW BEGIN UPDATE rollup_state SET definitions_id = definitions_id + 1 WHERE id = 1 AND OLD.run_id IS NULL; END;
CREATE TRIGGER rollup_catalogue_sample_insert AFTER INSERT ON `sample` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_update AFTER UPDATE ON `sample` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_sample_delete BEFORE DELETE ON `sample` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id IN (SELECT t.id FROM regression_test t WHERE t.sample_id = OLD.id); INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', c.test_id FROM customized_test c WHERE c.test_id IS NOT NULL AND c.regression_id IN (SELECT t.id FROM regression_test t WHERE t.sample_id = OLD.id); END;
CREATE TRIGGER rollup_catalogue_sample_delete BEFORE DELETE ON `sample` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_tag_association_insert AFTER INSERT ON `sample_tag_association` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_tag_association_update AFTER UPDATE ON `sample_tag_association` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_tag_association_delete BEFORE DELETE ON `sample_tag_association` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_tag_insert AFTER INSERT ON `tag` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_tag_update AFTER UPDATE ON `tag` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_tag_delete BEFORE DELETE ON `tag` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER run_record_stamp AFTER INSERT ON `test` FOR EACH ROW INSERT IGNORE INTO run_record (test_id, created_at) VALUES (NEW.id, UTC_TIMESTAMP(3));
CREATE TRIGGER rollup_open_run AFTER INSERT ON `test` FOR EACH ROW BEGIN INSERT IGNORE INTO open_run (test_id) VALUES (NEW.id); END;
CREATE TRIGGER rollup_run_insert AFTER INSERT ON `test` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.id); END;
CREATE TRIGGER rollup_run_update_row AFTER UPDATE ON `test` FOR EACH ROW BEGIN IF NOT (hex(OLD.id) <=> hex(NEW.id) AND hex(OLD.platform) <=> hex(NEW.platform) AND hex(OLD.fork_id) <=> hex(NEW.fork_id) AND hex(OLD.branch) <=> hex(NEW.branch) AND hex(OLD.`commit`) <=> hex(NEW.`commit`) AND hex(OLD.pr_nr) <=> hex(NEW.pr_nr)) THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.id); END IF; IF NOT (hex(OLD.id) <=> hex(NEW.id) AND hex(OLD.platform) <=> hex(NEW.platform) AND hex(OLD.fork_id) <=> hex(NEW.fork_id) AND hex(OLD.branch) <=> hex(NEW.branch) AND hex(OLD.`commit`) <=> hex(NEW.`commit`) AND hex(OLD.pr_nr) <=> hex(NEW.pr_nr)) THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.id); END IF; END;
CREATE TRIGGER rollup_run_delete BEFORE DELETE ON `test` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.id); END;
CREATE TRIGGER rollup_requester_insert_row AFTER INSERT ON `test_fork` FOR EACH ROW BEGIN IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_requester_update_row AFTER UPDATE ON `test_fork` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.test_id); END IF; IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_requester_delete_row BEFORE DELETE ON `test_fork` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.test_id); END IF; END;
CREATE TRIGGER rollup_progress_insert_row AFTER INSERT ON `test_progress` FOR EACH ROW BEGIN IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('p', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_progress_update_row AFTER UPDATE ON `test_progress` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('p', OLD.test_id); END IF; IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('p', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_progress_rewritten_row AFTER UPDATE ON `test_progress` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('x', OLD.test_id); END IF; IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('x', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_progress_delete_row BEFORE DELETE ON `test_progress` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('p', OLD.test_id); END IF; END;
CREATE TRIGGER rollup_progress_removed_row BEFORE DELETE ON `test_progress` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('x', OLD.test_id); END IF; END;
CREATE TRIGGER rollup_result_insert_row AFTER INSERT ON `test_result` FOR EACH ROW BEGIN IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_result_update_row AFTER UPDATE ON `test_result` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.test_id); END IF; IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_result_delete_row BEFORE DELETE ON `test_result` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.test_id); END IF; END;
CREATE TRIGGER rollup_result_file_insert_row AFTER INSERT ON `test_result_file` FOR EACH ROW BEGIN IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_result_file_update_row AFTER UPDATE ON `test_result_file` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.test_id); END IF; IF NEW.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.test_id); END IF; END;
CREATE TRIGGER rollup_result_file_delete_row BEFORE DELETE ON `test_result_file` FOR EACH ROW BEGIN IF OLD.test_id IS NOT NULL THEN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.test_id); END IF; END;
CREATE TRIGGER rollup_account_move AFTER UPDATE ON `user` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', q.test_id FROM test_fork q WHERE q.test_id IS NOT NULL AND q.user_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id; END;
CREATE TRIGGER rollup_account_delete BEFORE DELETE ON `user` FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', q.test_id FROM test_fork q WHERE q.test_id IS NOT NULL AND q.user_id IN (OLD.id); END;
