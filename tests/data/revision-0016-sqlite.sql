-- What revision 0016, the last before the release, added to the existing site's tables, as the
-- database reported it. Not to be changed.
CREATE TABLE api_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT api_alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE INDEX tag_name_index ON tag (name);
CREATE INDEX ix_api_token_token_prefix ON api_token (token_prefix);
CREATE INDEX ix_sample_extra_sample_id ON sample_extra (sample_id);
CREATE INDEX ix_sample_issue_sample_id ON sample_issue (sample_id);
CREATE INDEX ix_sample_tag_association_tag_id ON sample_tag_association (tag_id);
CREATE INDEX ix_test_fork_id ON test (fork_id);
CREATE INDEX ix_upload_user_id ON upload (user_id);
CREATE INDEX ix_upload_sample_id ON upload (sample_id);
CREATE INDEX ix_upload_version_id ON upload (version_id);
CREATE INDEX ix_upload_log_user_id ON upload_log (user_id);
CREATE INDEX ix_upload_queue_user_id ON upload_queue (user_id);
CREATE INDEX ix_gcp_instance_test_id ON gcp_instance (test_id);
CREATE INDEX ix_regression_test_last_passed_on_linux ON regression_test (last_passed_on_linux);
CREATE INDEX ix_regression_test_sample_id ON regression_test (sample_id);
CREATE INDEX ix_regression_test_last_passed_on_windows ON regression_test (last_passed_on_windows);
CREATE INDEX ix_test_fork_user_id ON test_fork (user_id);
CREATE INDEX ix_test_fork_test_id ON test_fork (test_id);
CREATE INDEX ix_test_progress_test_id ON test_progress (test_id);
CREATE INDEX ix_customized_test_regression_id ON customized_test (regression_id);
CREATE INDEX ix_customized_test_member ON customized_test (test_id, regression_id);
CREATE INDEX ix_customized_test_test_id ON customized_test (test_id);
CREATE INDEX ix_regression_test_category_category_id ON regression_test_category (category_id);
CREATE INDEX ix_regression_test_category_regression_id ON regression_test_category (regression_id);
CREATE INDEX ix_regression_test_output_regression_id ON regression_test_output (regression_id);
CREATE INDEX ix_test_result_runtime ON test_result (regression_test_id, test_id, runtime);
CREATE INDEX ix_test_result_regression_test_id ON test_result (regression_test_id);
CREATE INDEX ix_regression_test_output_files_regression_test_output_id ON regression_test_output_files (regression_test_output_id);
CREATE INDEX ix_test_result_file_regression_test_output_id ON test_result_file (regression_test_output_id);
CREATE INDEX ix_test_result_file_regression_test_id ON test_result_file (regression_test_id);
CREATE TABLE account_record (
	user_id INTEGER NOT NULL, 
	disabled_at DATETIME, 
	github_id BIGINT, 
	PRIMARY KEY (user_id), 
	FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
);
CREATE TABLE execute_grant (
	token_id INTEGER NOT NULL, 
	granted_at DATETIME NOT NULL, 
	PRIMARY KEY (token_id), 
	FOREIGN KEY(token_id) REFERENCES api_token (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE audit_event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	account_id INTEGER, 
	account_name VARCHAR(255), 
	action VARCHAR(50) NOT NULL, 
	subject_type VARCHAR(50) NOT NULL, 
	subject_id INTEGER, 
	details TEXT NOT NULL
);
CREATE INDEX ix_audit_event_subject ON audit_event (subject_type, subject_id);
CREATE INDEX ix_audit_event_account ON audit_event (account_id);
CREATE TABLE run_record (
	test_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	lost_attempts INTEGER DEFAULT '0' NOT NULL, 
	lease_expires_at DATETIME, 
	held_progress_id INTEGER, 
	retry_of INTEGER, 
	reason VARCHAR(255), 
	environment_id VARCHAR(50), failed_attempts INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (test_id), 
	FOREIGN KEY(test_id) REFERENCES test (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX ix_run_record_created_at ON run_record (created_at);
CREATE TABLE progress_record (
	progress_id INTEGER NOT NULL, 
	cause VARCHAR(50) NOT NULL, 
	account_id INTEGER, 
	attempt_id INTEGER, 
	step INTEGER, 
	PRIMARY KEY (progress_id), 
	FOREIGN KEY(progress_id) REFERENCES test_progress (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE result_record (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	test_id INTEGER NOT NULL, 
	regression_test_id INTEGER NOT NULL, 
	attempt_id INTEGER, 
	outcome VARCHAR(50) NOT NULL, 
	signal VARCHAR(20), 
	message TEXT, 
	tail TEXT, 
	started_at DATETIME, 
	recorded_at DATETIME NOT NULL, 
	FOREIGN KEY(test_id, regression_test_id) REFERENCES test_result (test_id, regression_test_id) ON DELETE CASCADE ON UPDATE CASCADE, 
	CONSTRAINT uq_result_record UNIQUE (test_id, regression_test_id)
);
CREATE TABLE run_attempt (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	test_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	platform VARCHAR(50) NOT NULL, 
	runner_name VARCHAR(100) NOT NULL, 
	account_id INTEGER, 
	credential_hash VARCHAR(64) NOT NULL, 
	claimed_at DATETIME NOT NULL, 
	deadline_at DATETIME NOT NULL, 
	stage VARCHAR(50), 
	running_tests TEXT, 
	ended_at DATETIME, 
	end_reason VARCHAR(50), 
	error_type VARCHAR(50), 
	error_message TEXT, 
	error_stack TEXT, 
	CONSTRAINT uq_run_attempt_number UNIQUE (test_id, number), 
	FOREIGN KEY(test_id) REFERENCES test (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX ix_run_attempt_platform ON run_attempt (platform, id);
CREATE TABLE baseline_revocation (
	output_id INTEGER NOT NULL, 
	file_hash VARCHAR(64) NOT NULL, 
	revoked_at DATETIME NOT NULL, 
	PRIMARY KEY (output_id, file_hash), 
	FOREIGN KEY(output_id) REFERENCES regression_test_output (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE idempotency_key (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	account_id INTEGER NOT NULL, 
	key_hash VARCHAR(64) NOT NULL, 
	request_hash VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	run_id INTEGER, 
	CONSTRAINT uq_idempotency_key UNIQUE (account_id, key_hash), 
	FOREIGN KEY(account_id) REFERENCES user (id) ON DELETE CASCADE
);
CREATE TRIGGER run_record_stamp AFTER INSERT ON test BEGIN INSERT OR REPLACE INTO run_record (test_id, created_at) VALUES (NEW.id, strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'); END;
CREATE TABLE run_log (
	test_id INTEGER NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	kept_at DATETIME NOT NULL, 
	PRIMARY KEY (test_id), 
	FOREIGN KEY(test_id) REFERENCES test (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE baseline_approval (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	sample_id INTEGER NOT NULL, 
	regression_id INTEGER NOT NULL, 
	output_id INTEGER NOT NULL, 
	extension VARCHAR(64) NOT NULL, 
	mode VARCHAR(50) NOT NULL, 
	apply_to_variants BOOLEAN NOT NULL, 
	file_hash TEXT, 
	replaced_hash TEXT, 
	reason VARCHAR(500), 
	requester_id INTEGER NOT NULL, 
	requester_name VARCHAR(255) NOT NULL, 
	requester_email VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	undoes_id INTEGER, 
	CONSTRAINT uq_baseline_approval_undoes UNIQUE (undoes_id), 
	FOREIGN KEY(undoes_id) REFERENCES baseline_approval (id)
);
CREATE INDEX ix_baseline_approval_requester ON baseline_approval (requester_email);
CREATE INDEX ix_baseline_approval_regression ON baseline_approval (regression_id);
CREATE TABLE baseline_decision (
	approval_id INTEGER NOT NULL, 
	decision VARCHAR(50) NOT NULL, 
	account_id INTEGER NOT NULL, 
	account_name VARCHAR(255) NOT NULL, 
	account_email VARCHAR(255) NOT NULL, 
	by_requester BOOLEAN NOT NULL, 
	reason VARCHAR(500), 
	decided_at DATETIME NOT NULL, 
	PRIMARY KEY (approval_id), 
	FOREIGN KEY(approval_id) REFERENCES baseline_approval (id)
);
CREATE TABLE baseline_change (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	approval_id INTEGER NOT NULL, 
	regression_id INTEGER, 
	output_id INTEGER NOT NULL, 
	replaced_hash TEXT, 
	new_hash TEXT, 
	variant_id INTEGER, 
	FOREIGN KEY(approval_id) REFERENCES baseline_approval (id)
);
CREATE INDEX ix_baseline_change_approval ON baseline_change (approval_id);
CREATE TABLE diff_classification (
	expected_hash VARCHAR(64) NOT NULL, 
	actual_hash VARCHAR(64) NOT NULL, 
	extension VARCHAR(64) NOT NULL, 
	rules_version INTEGER NOT NULL, 
	kind VARCHAR(50), 
	message TEXT, 
	cue_number INTEGER, 
	start_ms INTEGER, 
	details TEXT, 
	classified_at DATETIME NOT NULL, 
	PRIMARY KEY (expected_hash, actual_hash, extension)
);
CREATE INDEX ix_diff_classification_kind ON diff_classification (kind);
CREATE TABLE open_run (
	test_id INTEGER NOT NULL, settled BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (test_id), 
	FOREIGN KEY(test_id) REFERENCES test (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE rollup_mark (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind VARCHAR(1) NOT NULL, 
	run_id INTEGER, 
	regression_id INTEGER, 
	output_id INTEGER, 
	file_hash VARCHAR(64)
);
CREATE INDEX ix_rollup_mark_run ON rollup_mark (run_id);
CREATE TABLE rollup_state (
	id INTEGER NOT NULL, generation BIGINT DEFAULT '0' NOT NULL, change_id BIGINT DEFAULT '0' NOT NULL, definitions_id BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TRIGGER rollup_open_run AFTER INSERT ON "test" FOR EACH ROW BEGIN INSERT OR IGNORE INTO open_run (test_id) VALUES (NEW.id); END;
CREATE TRIGGER rollup_run_update_row AFTER UPDATE ON "test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.id  WHERE NOT (hex(OLD.id) IS hex(NEW.id) AND hex(OLD.platform) IS hex(NEW.platform) AND hex(OLD.fork_id) IS hex(NEW.fork_id) AND hex(OLD.branch) IS hex(NEW.branch) AND hex(OLD.`commit`) IS hex(NEW.`commit`) AND hex(OLD.pr_nr) IS hex(NEW.pr_nr)); INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.id  WHERE NOT (hex(OLD.id) IS hex(NEW.id) AND hex(OLD.platform) IS hex(NEW.platform) AND hex(OLD.fork_id) IS hex(NEW.fork_id) AND hex(OLD.branch) IS hex(NEW.branch) AND hex(OLD.`commit`) IS hex(NEW.`commit`) AND hex(OLD.pr_nr) IS hex(NEW.pr_nr)); END;
CREATE TRIGGER rollup_run_insert AFTER INSERT ON "test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', NEW.id); END;
CREATE TRIGGER rollup_run_delete BEFORE DELETE ON "test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) VALUES ('r', OLD.id); END;
CREATE TRIGGER rollup_fork_update AFTER UPDATE ON "fork" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', t.id FROM test t WHERE t.fork_id = NEW.id AND NOT (hex(OLD.github) IS hex(NEW.github)); END;
CREATE TRIGGER rollup_fork_move AFTER UPDATE ON "fork" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', t.id FROM test t WHERE OLD.id <> NEW.id AND t.fork_id IN (OLD.id, NEW.id); END;
CREATE TRIGGER rollup_progress_insert_row AFTER INSERT ON "test_progress" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'p', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_progress_update_row AFTER UPDATE ON "test_progress" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'p', OLD.test_id  WHERE OLD.test_id IS NOT NULL; INSERT INTO rollup_mark (kind, run_id) SELECT 'p', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_progress_delete_row BEFORE DELETE ON "test_progress" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'p', OLD.test_id  WHERE OLD.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_progress_rewritten_row AFTER UPDATE ON "test_progress" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'x', OLD.test_id  WHERE OLD.test_id IS NOT NULL; INSERT INTO rollup_mark (kind, run_id) SELECT 'x', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_progress_removed_row BEFORE DELETE ON "test_progress" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'x', OLD.test_id  WHERE OLD.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_result_insert_row AFTER INSERT ON "test_result" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_result_update_row AFTER UPDATE ON "test_result" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.test_id  WHERE OLD.test_id IS NOT NULL; INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_result_delete_row BEFORE DELETE ON "test_result" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.test_id  WHERE OLD.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_result_file_insert_row AFTER INSERT ON "test_result_file" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_result_file_update_row AFTER UPDATE ON "test_result_file" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.test_id  WHERE OLD.test_id IS NOT NULL; INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_result_file_delete_row BEFORE DELETE ON "test_result_file" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.test_id  WHERE OLD.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_customized_insert_row AFTER INSERT ON "customized_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_customized_update_row AFTER UPDATE ON "customized_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.test_id  WHERE OLD.test_id IS NOT NULL; INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_customized_delete_row BEFORE DELETE ON "customized_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.test_id  WHERE OLD.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_requester_insert_row AFTER INSERT ON "test_fork" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_requester_update_row AFTER UPDATE ON "test_fork" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.test_id  WHERE OLD.test_id IS NOT NULL; INSERT INTO rollup_mark (kind, run_id) SELECT 'r', NEW.test_id  WHERE NEW.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_requester_delete_row BEFORE DELETE ON "test_fork" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', OLD.test_id  WHERE OLD.test_id IS NOT NULL; END;
CREATE TRIGGER rollup_account_move AFTER UPDATE ON "user" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', q.test_id FROM test_fork q WHERE q.test_id IS NOT NULL AND q.user_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id; END;
CREATE TRIGGER rollup_account_delete BEFORE DELETE ON "user" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', q.test_id FROM test_fork q WHERE q.test_id IS NOT NULL AND q.user_id IN (OLD.id); END;
CREATE TRIGGER rollup_variant_insert_row AFTER INSERT ON "regression_test_output_files" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', NEW.regression_test_output_id, substr(NEW.file_hashes, 1, 64)  WHERE NEW.regression_test_output_id IS NOT NULL AND NEW.file_hashes IS NOT NULL; END;
CREATE TRIGGER rollup_variant_update_row AFTER UPDATE ON "regression_test_output_files" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', OLD.regression_test_output_id, substr(OLD.file_hashes, 1, 64)  WHERE OLD.regression_test_output_id IS NOT NULL AND OLD.file_hashes IS NOT NULL; INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', NEW.regression_test_output_id, substr(NEW.file_hashes, 1, 64)  WHERE NEW.regression_test_output_id IS NOT NULL AND NEW.file_hashes IS NOT NULL; END;
CREATE TRIGGER rollup_variant_delete_row BEFORE DELETE ON "regression_test_output_files" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', OLD.regression_test_output_id, substr(OLD.file_hashes, 1, 64)  WHERE OLD.regression_test_output_id IS NOT NULL AND OLD.file_hashes IS NOT NULL; END;
CREATE TRIGGER rollup_revocation_insert_row AFTER INSERT ON "baseline_revocation" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', NEW.output_id, substr(NEW.file_hash, 1, 64)  WHERE NEW.output_id IS NOT NULL AND NEW.file_hash IS NOT NULL; END;
CREATE TRIGGER rollup_revocation_update_row AFTER UPDATE ON "baseline_revocation" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', OLD.output_id, substr(OLD.file_hash, 1, 64)  WHERE OLD.output_id IS NOT NULL AND OLD.file_hash IS NOT NULL; INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', NEW.output_id, substr(NEW.file_hash, 1, 64)  WHERE NEW.output_id IS NOT NULL AND NEW.file_hash IS NOT NULL; END;
CREATE TRIGGER rollup_revocation_delete_row BEFORE DELETE ON "baseline_revocation" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', OLD.output_id, substr(OLD.file_hash, 1, 64)  WHERE OLD.output_id IS NOT NULL AND OLD.file_hash IS NOT NULL; END;
CREATE TRIGGER rollup_output_insert_row AFTER INSERT ON "regression_test_output" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, regression_id) SELECT 'd', NEW.regression_id  WHERE NEW.regression_id IS NOT NULL; END;
CREATE TRIGGER rollup_output_delete_row BEFORE DELETE ON "regression_test_output" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, regression_id) SELECT 'd', OLD.regression_id  WHERE OLD.regression_id IS NOT NULL; END;
CREATE TRIGGER rollup_output_update_row AFTER UPDATE ON "regression_test_output" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', NEW.id, substr(OLD.correct, 1, 64)  WHERE NEW.id IS NOT NULL AND OLD.correct IS NOT NULL; INSERT INTO rollup_mark (kind, output_id, file_hash) SELECT 'h', NEW.id, substr(NEW.correct, 1, 64)  WHERE NEW.id IS NOT NULL AND NEW.correct IS NOT NULL; INSERT INTO rollup_mark (kind, regression_id) SELECT 'd', OLD.regression_id  WHERE OLD.regression_id IS NOT NULL AND NOT (OLD.regression_id IS NEW.regression_id AND COALESCE(OLD.`ignore`, 0) IS COALESCE(NEW.`ignore`, 0) AND OLD.id IS NEW.id); INSERT INTO rollup_mark (kind, regression_id) SELECT 'd', NEW.regression_id  WHERE NEW.regression_id IS NOT NULL AND NOT (OLD.regression_id IS NEW.regression_id AND COALESCE(OLD.`ignore`, 0) IS COALESCE(NEW.`ignore`, 0) AND OLD.id IS NEW.id); END;
CREATE TRIGGER rollup_sentinel_move AFTER UPDATE ON "regression_test_output" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', f.test_id FROM test_result_file f WHERE f.regression_test_output_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id AND -1 IN (OLD.id, NEW.id); END;
CREATE TRIGGER rollup_sentinel_delete BEFORE DELETE ON "regression_test_output" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', f.test_id FROM test_result_file f WHERE f.regression_test_output_id IN (OLD.id, OLD.id) AND OLD.id = -1; END;
CREATE TRIGGER rollup_test_update_row AFTER UPDATE ON "regression_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, regression_id) SELECT 'd', NEW.id  WHERE NEW.id IS NOT NULL AND NOT (OLD.expected_rc IS NEW.expected_rc AND OLD.id IS NEW.id); INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id IN (NEW.id) AND (OLD.sample_id IS NULL) <> (NEW.sample_id IS NULL); INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', c.test_id FROM customized_test c WHERE c.test_id IS NOT NULL AND c.regression_id IN (NEW.id) AND (OLD.sample_id IS NULL) <> (NEW.sample_id IS NULL); END;
CREATE TRIGGER rollup_test_move AFTER UPDATE ON "regression_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id; INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', c.test_id FROM customized_test c WHERE c.test_id IS NOT NULL AND c.regression_id IN (OLD.id, NEW.id) AND OLD.id <> NEW.id; END;
CREATE TRIGGER rollup_test_delete BEFORE DELETE ON "regression_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id IN (OLD.id); INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', c.test_id FROM customized_test c WHERE c.test_id IS NOT NULL AND c.regression_id IN (OLD.id); END;
CREATE TRIGGER rollup_sample_delete BEFORE DELETE ON "sample" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM test_result r WHERE r.regression_test_id IN (SELECT t.id FROM regression_test t WHERE t.sample_id = OLD.id); INSERT INTO rollup_mark (kind, run_id) SELECT DISTINCT 'r', c.test_id FROM customized_test c WHERE c.test_id IS NOT NULL AND c.regression_id IN (SELECT t.id FROM regression_test t WHERE t.sample_id = OLD.id); END;
CREATE TRIGGER rollup_catalogue_regression_test_insert AFTER INSERT ON "regression_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_update_row AFTER UPDATE ON "regression_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) SELECT 'c'  WHERE (NOT (hex(OLD.id) IS hex(NEW.id) AND hex(OLD.sample_id) IS hex(NEW.sample_id) AND hex(OLD.command) IS hex(NEW.command) AND hex(OLD.input_type) IS hex(NEW.input_type) AND hex(OLD.output_type) IS hex(NEW.output_type) AND hex(OLD.expected_rc) IS hex(NEW.expected_rc) AND hex(OLD.active) IS hex(NEW.active) AND hex(OLD.description) IS hex(NEW.description)) OR NOT ((OLD.id IS NULL) = (NEW.id IS NULL) AND (OLD.sample_id IS NULL) = (NEW.sample_id IS NULL) AND (OLD.command IS NULL) = (NEW.command IS NULL) AND (OLD.input_type IS NULL) = (NEW.input_type IS NULL) AND (OLD.output_type IS NULL) = (NEW.output_type IS NULL) AND (OLD.expected_rc IS NULL) = (NEW.expected_rc IS NULL) AND (OLD.active IS NULL) = (NEW.active IS NULL) AND (OLD.description IS NULL) = (NEW.description IS NULL))); END;
CREATE TRIGGER rollup_catalogue_regression_test_delete BEFORE DELETE ON "regression_test" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_output_insert AFTER INSERT ON "regression_test_output" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_output_update AFTER UPDATE ON "regression_test_output" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_output_delete BEFORE DELETE ON "regression_test_output" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_output_files_insert AFTER INSERT ON "regression_test_output_files" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_output_files_update AFTER UPDATE ON "regression_test_output_files" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_output_files_delete BEFORE DELETE ON "regression_test_output_files" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_baseline_revocation_insert AFTER INSERT ON "baseline_revocation" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_baseline_revocation_update AFTER UPDATE ON "baseline_revocation" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_baseline_revocation_delete BEFORE DELETE ON "baseline_revocation" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_category_insert AFTER INSERT ON "regression_test_category" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_category_update AFTER UPDATE ON "regression_test_category" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_regression_test_category_delete BEFORE DELETE ON "regression_test_category" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_category_insert AFTER INSERT ON "category" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_category_update AFTER UPDATE ON "category" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_category_delete BEFORE DELETE ON "category" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_insert AFTER INSERT ON "sample" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_update AFTER UPDATE ON "sample" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_delete BEFORE DELETE ON "sample" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_tag_association_insert AFTER INSERT ON "sample_tag_association" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_tag_association_update AFTER UPDATE ON "sample_tag_association" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_sample_tag_association_delete BEFORE DELETE ON "sample_tag_association" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_tag_insert AFTER INSERT ON "tag" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_tag_update AFTER UPDATE ON "tag" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_tag_delete BEFORE DELETE ON "tag" FOR EACH ROW BEGIN INSERT INTO rollup_mark (kind) VALUES ('c'); END;
CREATE TRIGGER rollup_catalogue_settled AFTER DELETE ON "rollup_mark" FOR EACH ROW BEGIN UPDATE rollup_state SET definitions_id = definitions_id + 1 WHERE id = 1 AND OLD.run_id IS NULL; END;
CREATE TABLE run_set (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT uq_run_set_digest UNIQUE (digest)
);
CREATE TABLE run_set_member (
	regression_test_id INTEGER NOT NULL, 
	set_id INTEGER NOT NULL, 
	PRIMARY KEY (regression_test_id, set_id), 
	FOREIGN KEY(set_id) REFERENCES run_set (id) ON DELETE CASCADE
);
CREATE INDEX ix_run_set_member_set ON run_set_member (set_id, regression_test_id);
CREATE TABLE lost_lease (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	platform VARCHAR(50) NOT NULL, 
	lost_at DATETIME NOT NULL
);
CREATE INDEX ix_lost_lease_platform ON lost_lease (platform);
CREATE INDEX ix_open_run_settled ON open_run (settled);
CREATE TABLE rollup_change (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	lowest INTEGER NOT NULL
);
CREATE TABLE run_rollup (
	test_id INTEGER NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	ended_as VARCHAR(20), 
	started_at DATETIME, 
	ended_at DATETIME, 
	end_failure VARCHAR(20), 
	progress_id INTEGER, 
	results INTEGER NOT NULL, 
	failed INTEGER NOT NULL, 
	missing_output INTEGER NOT NULL, 
	skipped INTEGER, 
	errors INTEGER NOT NULL, 
	set_id INTEGER, 
	created_at DATETIME NOT NULL, 
	platform VARCHAR(20) NOT NULL, 
	fork_id INTEGER NOT NULL, 
	branch VARCHAR(100) NOT NULL, 
	commit_sha VARCHAR(40) NOT NULL, 
	pull_request INTEGER, 
	requester_id INTEGER, 
	PRIMARY KEY (test_id), 
	FOREIGN KEY(test_id) REFERENCES test (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX ix_run_rollup_platform ON run_rollup (platform, created_at, test_id, status);
CREATE INDEX ix_run_rollup_fork ON run_rollup (fork_id, created_at, test_id, status, platform);
CREATE INDEX ix_run_rollup_set ON run_rollup (set_id, test_id);
CREATE INDEX ix_run_rollup_commit ON run_rollup (commit_sha, created_at, test_id);
CREATE INDEX ix_run_rollup_pull_request ON run_rollup (pull_request, created_at, test_id);
CREATE INDEX ix_run_rollup_status ON run_rollup (status, created_at, test_id, platform);
CREATE INDEX ix_run_rollup_branch ON run_rollup (branch, created_at, test_id, status, platform);
CREATE INDEX ix_run_rollup_of_branch ON run_rollup (branch, test_id, set_id, status, platform);
CREATE INDEX ix_run_rollup_branches ON run_rollup (fork_id, branch, test_id, created_at);
CREATE INDEX ix_run_rollup_of_status ON run_rollup (status, test_id, set_id, platform);
CREATE INDEX ix_run_rollup_created ON run_rollup (created_at, test_id, status, platform, set_id);
CREATE INDEX ix_run_rollup_started ON run_rollup (started_at, test_id, status, platform);
CREATE TABLE failing_result (
	test_id INTEGER NOT NULL, 
	regression_test_id INTEGER NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	errors INTEGER NOT NULL, 
	signature VARCHAR(255), 
	PRIMARY KEY (test_id, regression_test_id), 
	FOREIGN KEY(test_id) REFERENCES test (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX ix_failing_result_test ON failing_result (regression_test_id, status, test_id);
CREATE INDEX ix_audit_event_account_name ON audit_event (account_name);
CREATE INDEX ix_audit_event_action ON audit_event (action);
CREATE INDEX ix_rollup_mark_kind ON rollup_mark (kind, run_id);
