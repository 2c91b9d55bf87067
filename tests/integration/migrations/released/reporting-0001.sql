-- The tables of the first release with rows, as its program made them on SQLite.
BEGIN TRANSACTION;
CREATE TABLE campaigns (
	campaign TEXT NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	kind TEXT DEFAULT '' NOT NULL, 
	lists TEXT DEFAULT '' NOT NULL, 
	starts_on TEXT DEFAULT '' NOT NULL, 
	ends_on TEXT DEFAULT '' NOT NULL, 
	status TEXT DEFAULT '' NOT NULL, 
	opened_at BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (campaign)
);
INSERT INTO "campaigns" VALUES('campai 0','name 0','kind 0','lists 0','starts 0','ends_o 0','status 0',1);
INSERT INTO "campaigns" VALUES('campai 1','name 1','kind 1','lists 1','starts 1','ends_o 1','status 1',2);
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
CREATE TABLE chunks (
	mailing TEXT NOT NULL, 
	n BIGINT NOT NULL, 
	states BLOB NOT NULL, 
	unsettled BIGINT DEFAULT 0 NOT NULL, 
	finished BIGINT DEFAULT 0 NOT NULL, 
	parked TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (mailing, n)
)
 WITHOUT ROWID

;
INSERT INTO "chunks" VALUES('mailin 0',1,X'00FF',1,1,'parked 0');
INSERT INTO "chunks" VALUES('mailin 1',2,X'01FF',2,2,'parked 1');
CREATE TABLE consent_acts (
	id TEXT NOT NULL, 
	seq BIGINT DEFAULT 0 NOT NULL, 
	address_key TEXT DEFAULT '' NOT NULL, 
	scope TEXT DEFAULT '' NOT NULL, 
	act TEXT DEFAULT '' NOT NULL, 
	how TEXT DEFAULT '' NOT NULL, 
	mailing TEXT DEFAULT '' NOT NULL, 
	n BIGINT, 
	idx BIGINT, 
	comment TEXT DEFAULT '' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	principal TEXT DEFAULT '' NOT NULL, 
	at BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "consent_acts" VALUES('id 0',1,'addres 0','scope 0','act 0','how 0','mailin 0',1,1,'commen 0','reason 0','princi 0',1);
INSERT INTO "consent_acts" VALUES('id 1',2,'addres 1','scope 1','act 1','how 1','mailin 1',2,2,'commen 1','reason 1','princi 1',2);
CREATE TABLE consent_states (
	address_key TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	act TEXT DEFAULT '' NOT NULL, 
	seq BIGINT DEFAULT 0 NOT NULL, 
	at BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (address_key, scope)
);
INSERT INTO "consent_states" VALUES('addres 0','scope 0','act 0',1,1);
INSERT INTO "consent_states" VALUES('addres 1','scope 1','act 1',2,2);
CREATE TABLE directory_position (
	name TEXT NOT NULL, 
	seq BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "directory_position" VALUES('name 0',1);
INSERT INTO "directory_position" VALUES('name 1',2);
CREATE TABLE hit_points (
	mailing TEXT NOT NULL, 
	second BIGINT NOT NULL, 
	opens BIGINT DEFAULT 0 NOT NULL, 
	clicks BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (mailing, second)
);
INSERT INTO "hit_points" VALUES('mailin 0',1,1,1);
INSERT INTO "hit_points" VALUES('mailin 1',2,2,2);
CREATE TABLE hits (
	id TEXT NOT NULL, 
	PRIMARY KEY (id)
)
 WITHOUT ROWID

;
INSERT INTO "hits" VALUES('id 0');
INSERT INTO "hits" VALUES('id 1');
CREATE TABLE link_counts (
	mailing TEXT NOT NULL, 
	link BIGINT NOT NULL, 
	hits BIGINT DEFAULT 0 NOT NULL, 
	people BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (mailing, link)
);
INSERT INTO "link_counts" VALUES('mailin 0',1,1,1);
INSERT INTO "link_counts" VALUES('mailin 1',2,2,2);
CREATE TABLE log_lines (
	seq BIGINT NOT NULL, 
	place BIGINT NOT NULL, 
	mailing TEXT DEFAULT '' NOT NULL, 
	campaign TEXT DEFAULT '' NOT NULL, 
	type TEXT DEFAULT '' NOT NULL, 
	at BIGINT DEFAULT 0 NOT NULL, 
	principal TEXT DEFAULT '' NOT NULL, 
	text TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (seq, place)
);
INSERT INTO "log_lines" VALUES(1,1,'mailin 0','campai 0','type 0',1,'princi 0','text 0');
INSERT INTO "log_lines" VALUES(2,2,'mailin 1','campai 1','type 1',2,'princi 1','text 1');
CREATE TABLE mailings (
	mailing TEXT NOT NULL, 
	test_of TEXT DEFAULT '' NOT NULL, 
	campaign TEXT DEFAULT '' NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	account TEXT DEFAULT '' NOT NULL, 
	subject TEXT DEFAULT '' NOT NULL, 
	content TEXT DEFAULT '' NOT NULL, 
	links TEXT DEFAULT '' NOT NULL, 
	doubt TEXT DEFAULT '' NOT NULL, 
	tracking TEXT DEFAULT '' NOT NULL, 
	status TEXT DEFAULT '' NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	zone TEXT DEFAULT '' NOT NULL, 
	hours TEXT DEFAULT '' NOT NULL, 
	audience TEXT DEFAULT '' NOT NULL, 
	left_out TEXT DEFAULT '' NOT NULL, 
	retry_for BIGINT DEFAULT 0 NOT NULL, 
	audience_position BIGINT DEFAULT 0 NOT NULL, 
	chunks BIGINT DEFAULT 0 NOT NULL, 
	drafted_at BIGINT DEFAULT 0 NOT NULL, 
	deleted BIGINT DEFAULT 0 NOT NULL, 
	planned BIGINT DEFAULT 0 NOT NULL, 
	chunks_planned BIGINT DEFAULT 0 NOT NULL, 
	chunks_finished BIGINT DEFAULT 0 NOT NULL, 
	parked BIGINT DEFAULT 0 NOT NULL, 
	evidence BIGINT DEFAULT 0 NOT NULL, 
	accepted BIGINT DEFAULT 0 NOT NULL, 
	"deferred" BIGINT DEFAULT 0 NOT NULL, 
	rejected BIGINT DEFAULT 0 NOT NULL, 
	skipped BIGINT DEFAULT 0 NOT NULL, 
	expired BIGINT DEFAULT 0 NOT NULL, 
	cancelled BIGINT DEFAULT 0 NOT NULL, 
	in_doubt BIGINT DEFAULT 0 NOT NULL, 
	recipients BIGINT, 
	per_hour BIGINT, 
	starts_at BIGINT, 
	deadline BIGINT, 
	until BIGINT, 
	opens BIGINT, 
	started_at BIGINT, 
	finished_at BIGINT, 
	first_sent BIGINT, 
	last_sent BIGINT, 
	seconds_between FLOAT, 
	PRIMARY KEY (mailing)
);
INSERT INTO "mailings" VALUES('mailin 0','test_o 0','campai 0','name 0','accoun 0','subjec 0','conten 0','links 0','doubt 0','tracki 0','status 0','reason 0','zone 0','hours 0','audien 0','left_o 0',1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,0.5);
INSERT INTO "mailings" VALUES('mailin 1','test_o 1','campai 1','name 1','accoun 1','subjec 1','conten 1','links 1','doubt 1','tracki 1','status 1','reason 1','zone 1','hours 1','audien 1','left_o 1',2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,1.5);
CREATE TABLE notes (
	"key" TEXT NOT NULL, 
	text TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "notes" VALUES('key 0','text 0');
INSERT INTO "notes" VALUES('key 1','text 1');
CREATE TABLE people (
	contact TEXT NOT NULL, 
	address TEXT DEFAULT '' NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	page BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (contact)
);
INSERT INTO "people" VALUES('contac 0','addres 0','name 0',1);
INSERT INTO "people" VALUES('contac 1','addres 1','name 1',2);
CREATE TABLE points (
	mailing TEXT NOT NULL, 
	second BIGINT NOT NULL, 
	accepted BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (mailing, second)
);
INSERT INTO "points" VALUES('mailin 0',1,1);
INSERT INTO "points" VALUES('mailin 1',2,2);
CREATE TABLE readers (
	mailing TEXT NOT NULL, 
	link BIGINT NOT NULL, 
	n BIGINT NOT NULL, 
	idx BIGINT NOT NULL, 
	hits BIGINT DEFAULT 0 NOT NULL, 
	first_at BIGINT DEFAULT 0 NOT NULL, 
	last_at BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (mailing, link, n, idx)
)
 WITHOUT ROWID

;
INSERT INTO "readers" VALUES('mailin 0',1,1,1,1,1,1);
INSERT INTO "readers" VALUES('mailin 1',2,2,2,2,2,2);
CREATE TABLE recipients (
	mailing TEXT NOT NULL, 
	n BIGINT NOT NULL, 
	idx BIGINT NOT NULL, 
	contact TEXT DEFAULT '' NOT NULL, 
	outcome INTEGER DEFAULT 0 NOT NULL, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	reply BIGINT, 
	queue_id TEXT, 
	at BIGINT, 
	cause TEXT, 
	until BIGINT, 
	evidence TEXT, 
	PRIMARY KEY (mailing, n, idx)
)
 WITHOUT ROWID

;
INSERT INTO "recipients" VALUES('mailin 0',1,1,'contac 0',1,1,1,'queue_ 0',1,'cause 0',1,'eviden 0');
INSERT INTO "recipients" VALUES('mailin 1',2,2,'contac 1',2,2,2,'queue_ 1',2,'cause 1',2,'eviden 1');
CREATE TABLE replies (
	reply BIGINT NOT NULL, 
	host TEXT DEFAULT '' NOT NULL, 
	code BIGINT DEFAULT 0 NOT NULL, 
	enhanced TEXT DEFAULT '' NOT NULL, 
	text TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (reply)
);
INSERT INTO "replies" VALUES(1,'host 0',1,'enhanc 0','text 0');
INSERT INTO "replies" VALUES(2,'host 1',2,'enhanc 1','text 1');
CREATE INDEX mailings_by_campaign ON mailings (campaign);
CREATE INDEX recipients_by_outcome ON recipients (mailing, outcome, n, idx) WHERE outcome > 1;
CREATE INDEX log_lines_by_mailing ON log_lines (mailing, seq, place);
CREATE INDEX consent_acts_by_mailing ON consent_acts (mailing, act);
CREATE INDEX consent_acts_by_address ON consent_acts (address_key, seq);
CREATE INDEX people_by_page ON people (page);
COMMIT;
