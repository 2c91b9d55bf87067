-- The tables of the first release with rows, as its program made them on SQLite.
BEGIN TRANSACTION;
CREATE TABLE audience_pieces (
	audience INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	lane VARCHAR(24) NOT NULL, 
	size INTEGER NOT NULL, 
	PRIMARY KEY (audience, n)
);
INSERT INTO "audience_pieces" VALUES(1,1,'lane 0',1);
INSERT INTO "audience_pieces" VALUES(2,2,'lane 1',2);
CREATE TABLE audience_rows (
	audience INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	idx INTEGER NOT NULL, 
	contact VARCHAR(12) NOT NULL, 
	lists TEXT NOT NULL, 
	PRIMARY KEY (audience, n, idx)
)
 WITHOUT ROWID

;
INSERT INTO "audience_rows" VALUES(1,1,1,'contac 0','lists 0');
INSERT INTO "audience_rows" VALUES(2,2,2,'contac 1','lists 1');
CREATE TABLE audience_skipped (
	audience INTEGER NOT NULL, 
	line INTEGER NOT NULL, 
	contact VARCHAR(12) NOT NULL, 
	lists TEXT NOT NULL, 
	reason VARCHAR(24) NOT NULL, 
	PRIMARY KEY (audience, line)
)
 WITHOUT ROWID

;
INSERT INTO "audience_skipped" VALUES(1,1,'contac 0','lists 0','reason 0');
INSERT INTO "audience_skipped" VALUES(2,2,'contac 1','lists 1','reason 1');
CREATE TABLE audiences (
	id INTEGER NOT NULL, 
	mailing VARCHAR(24) NOT NULL, 
	object VARCHAR(64) NOT NULL, 
	lines INTEGER NOT NULL, 
	complete BOOLEAN NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audiences" VALUES(1,'mailin 0','object 0',1,0);
INSERT INTO "audiences" VALUES(2,'mailin 1','object 1',2,1);
CREATE TABLE checkpoints (
	name VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	seq BIGINT NOT NULL, 
	event_id VARCHAR(128) NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	reason TEXT NOT NULL, 
	failed_seq BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "checkpoints" VALUES('name 0',1,1,'event_ 0','state 0','reason 0',1);
INSERT INTO "checkpoints" VALUES('name 1',2,2,'event_ 1','state 1','reason 1',2);
CREATE TABLE contact_ordinals (
	one INTEGER NOT NULL, 
	next BIGINT NOT NULL, 
	PRIMARY KEY (one)
);
INSERT INTO "contact_ordinals" VALUES(1,1);
INSERT INTO "contact_ordinals" VALUES(2,2);
CREATE TABLE contacts (
	id VARCHAR(12) NOT NULL, 
	address TEXT NOT NULL, 
	address_key VARCHAR(16), 
	provider VARCHAR(16) NOT NULL, 
	name TEXT NOT NULL, 
	fields TEXT NOT NULL, 
	page INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "contacts" VALUES('id 0','addres 0','addres 0','provid 0','name 0','fields 0',1,1,1,1);
INSERT INTO "contacts" VALUES('id 1','addres 1','addres 1','provid 1','name 1','fields 1',2,2,2,2);
CREATE TABLE dirty_pages (
	page INTEGER NOT NULL, 
	changes BIGINT NOT NULL, 
	PRIMARY KEY (page)
);
INSERT INTO "dirty_pages" VALUES(1,1);
INSERT INTO "dirty_pages" VALUES(2,2);
CREATE TABLE facts_accounts (
	id VARCHAR(24) NOT NULL, 
	state TEXT NOT NULL, 
	paused TEXT NOT NULL, 
	retry BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "facts_accounts" VALUES('id 0','state 0','paused 0',1,1);
INSERT INTO "facts_accounts" VALUES('id 1','state 1','paused 1',2,2);
CREATE TABLE facts_chunks (
	mailing VARCHAR(24) NOT NULL, 
	n INTEGER NOT NULL, 
	account VARCHAR(24) NOT NULL, 
	lane VARCHAR(24) NOT NULL, 
	kind VARCHAR(12) NOT NULL, 
	size INTEGER NOT NULL, 
	started BOOLEAN NOT NULL, 
	passed BOOLEAN NOT NULL, 
	finished BOOLEAN NOT NULL, 
	totals TEXT NOT NULL, 
	parked TEXT NOT NULL, 
	parked_seq BIGINT NOT NULL, 
	planned_at BIGINT NOT NULL, 
	last_at BIGINT NOT NULL, 
	due_at BIGINT NOT NULL, 
	PRIMARY KEY (mailing, n)
);
INSERT INTO "facts_chunks" VALUES('mailin 0',1,'accoun 0','lane 0','kind 0',1,0,0,0,'totals 0','parked 0',1,1,1,1);
INSERT INTO "facts_chunks" VALUES('mailin 1',2,'accoun 1','lane 1','kind 1',2,1,1,1,'totals 1','parked 1',2,2,2,2);
CREATE TABLE facts_doubts (
	mailing VARCHAR(24) NOT NULL, 
	seq BIGINT NOT NULL, 
	n INTEGER NOT NULL, 
	PRIMARY KEY (mailing, seq, n)
);
INSERT INTO "facts_doubts" VALUES('mailin 0',1,1);
INSERT INTO "facts_doubts" VALUES('mailin 1',2,2);
CREATE TABLE facts_mailings (
	id VARCHAR(24) NOT NULL, 
	status VARCHAR(12) NOT NULL, 
	state TEXT NOT NULL, 
	resumed BIGINT NOT NULL, 
	retry BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "facts_mailings" VALUES('id 0','status 0','state 0',1,1,1);
INSERT INTO "facts_mailings" VALUES('id 1','status 1','state 1',2,2,2);
CREATE TABLE facts_suppression (
	address_key VARCHAR(16) NOT NULL, 
	scope VARCHAR(24) NOT NULL, 
	blocked VARCHAR(12) NOT NULL, 
	seq BIGINT NOT NULL, 
	PRIMARY KEY (address_key, scope)
);
INSERT INTO "facts_suppression" VALUES('addres 0','scope 0','blocke 0',1);
INSERT INTO "facts_suppression" VALUES('addres 1','scope 1','blocke 1',2);
CREATE TABLE import_rejected (
	upload VARCHAR(24) NOT NULL, 
	line INTEGER NOT NULL, 
	"column" TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (upload, line)
);
INSERT INTO "import_rejected" VALUES('upload 0',1,'column 0','reason 0','value 0');
INSERT INTO "import_rejected" VALUES('upload 1',2,'column 1','reason 1','value 1');
CREATE TABLE imports (
	upload VARCHAR(24) NOT NULL, 
	list VARCHAR(24) NOT NULL, 
	wanted TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	rows INTEGER NOT NULL, 
	added INTEGER NOT NULL, 
	updated INTEGER NOT NULL, 
	unchanged INTEGER NOT NULL, 
	rejected INTEGER NOT NULL, 
	problem TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY (upload)
);
INSERT INTO "imports" VALUES('upload 0','list 0','wanted 0','princi 0','state 0',1,1,1,1,1,'proble 0',1);
INSERT INTO "imports" VALUES('upload 1','list 1','wanted 1','princi 1','state 1',2,2,2,2,2,'proble 1',2);
CREATE TABLE list_fields (
	list VARCHAR(24) NOT NULL, 
	field VARCHAR(64) NOT NULL, 
	PRIMARY KEY (list, field), 
	FOREIGN KEY(list) REFERENCES lists (id)
);
INSERT INTO "list_fields" VALUES('list 0','field 0');
INSERT INTO "list_fields" VALUES('list 1','field 1');
CREATE TABLE lists (
	id VARCHAR(24) NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "lists" VALUES('list 0','name 0');
INSERT INTO "lists" VALUES('list 1','name 1');
CREATE TABLE members (
	list VARCHAR(24) NOT NULL, 
	contact VARCHAR(12) NOT NULL, 
	PRIMARY KEY (list, contact), 
	FOREIGN KEY(list) REFERENCES lists (id)
)
 WITHOUT ROWID

;
INSERT INTO "members" VALUES('list 0','contac 0');
INSERT INTO "members" VALUES('list 1','contac 1');
CREATE TABLE process_marks (
	"of" VARCHAR(32) NOT NULL, 
	retried BIGINT NOT NULL, 
	PRIMARY KEY ("of")
);
INSERT INTO "process_marks" VALUES('of 0',1);
INSERT INTO "process_marks" VALUES('of 1',2);
CREATE TABLE requests (
	principal VARCHAR(100) NOT NULL, 
	"key" VARCHAR(100) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	answer TEXT, 
	at BIGINT NOT NULL, 
	PRIMARY KEY (principal, "key")
);
INSERT INTO "requests" VALUES('princi 0','key 0','digest 0','answer 0',1);
INSERT INTO "requests" VALUES('princi 1','key 1','digest 1','answer 1',2);
CREATE INDEX ix_contacts_page ON contacts (page);
CREATE INDEX ix_contacts_address_key ON contacts (address_key);
CREATE INDEX ix_audiences_mailing ON audiences (mailing);
CREATE INDEX ix_facts_mailings_status ON facts_mailings (status);
CREATE INDEX facts_chunks_quiet ON facts_chunks (finished, last_at);
CREATE INDEX facts_chunks_open ON facts_chunks (mailing, finished, passed);
CREATE INDEX ix_imports_state ON imports (state);
COMMIT;
