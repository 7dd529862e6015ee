// Objects of the emulated Snowflake: what is made of them, who may do what, what SHOW and INFORMATION_SCHEMA tell; and
// the official driver, which says whether a client of Snowflake would agree.

import assert from 'node:assert/strict';
import snowflake from 'snowflake-sdk';
import { control } from './client.mjs';
import { account, code, fresh, jwt, key, many, pair, rows, submit, user } from './snowflake-client.mjs';

const world = async () => {
	await fresh();
	await many('CREATE DATABASE D', 'CREATE SCHEMA D.WEB', 'CREATE TABLE D.WEB.RAW (RECORD VARIANT, N NUMBER)');
};
const as = async (name, role, more = {}) => {
	await control('POST', 'snowflake/user', { name, public_key: key.body, default_role: role, default_warehouse: 'WH', ...more });
	return { token: await jwt({ name: `${account}.${name}` }) };
};

export async function makingAndDropping() {
	await world();
	const one = async sql => (await rows(sql))[0][0];
	assert.equal(await one('CREATE TABLE D.WEB.T (A NUMBER NOT NULL DEFAULT 7, B VARCHAR(10) COMMENT \'b\', C TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP()) COMMENT = \'t\''), 'Table T successfully created.');
	assert.equal(await one('CREATE TABLE IF NOT EXISTS D.WEB.T (X NUMBER)'), 'T already exists, statement succeeded.');
	assert.equal(await code('CREATE TABLE D.WEB.T (X NUMBER)'), '002002');
	assert.equal(await code('CREATE TABLE D.NOPE.T (X NUMBER)'), '002003');
	assert.equal(await code('CREATE TABLE D.WEB.U (A NUMBER, A NUMBER)'), '002025');
	assert.equal(await code('CREATE TABLE D.WEB.U (A NUMBRE)'), '001003');
	assert.equal(await code('CREATE TABLE D.WEB.U (A NUMBER) NONSENSE = 1'), '001420');
	assert.equal(await code('CREATE FILE FORMAT D.WEB.F TYPE = JSON ALLOW_DUPLICATES = TRUE'), '001420');
	assert.equal(await code("CREATE TASK D.WEB.T1 WAREHOUSE = WH SCHEDULE = 'USING CRON 1 2 * * UTC' AS SELECT 1"), '091011');
	await many('INSERT INTO D.WEB.T (B) VALUES (\'x\')');
	assert.equal(await code('INSERT INTO D.WEB.T (A) VALUES (NULL)'), '100072');
	await many('ALTER TABLE D.WEB.T ADD COLUMN "e" FLOAT', 'ALTER TABLE D.WEB.T DROP COLUMN C',
		'ALTER TABLE D.WEB.T RENAME COLUMN B TO B2', 'ALTER TABLE D.WEB.T ALTER COLUMN B2 SET DATA TYPE VARCHAR(20)',
		'ALTER TABLE D.WEB.T SET COMMENT = \'other\'', 'COMMENT ON COLUMN D.WEB.T.A IS \'first\'');
	assert.deepEqual(await rows('SELECT * FROM D.WEB.T'), [['7', 'x', null]]);
	assert.deepEqual((await rows('DESC TABLE D.WEB.T')).map(r => [r[0], r[1], r[3], r[9]]),
		[['A', 'NUMBER(38,0)', 'N', 'first'], ['B2', 'VARCHAR(20)', 'Y', 'b'], ['e', 'FLOAT', 'Y', null]]);
	assert.equal(await code('ALTER TABLE D.WEB.T ADD COLUMN A NUMBER'), '001430');
	assert.equal(await code('ALTER TABLE D.WEB.T ALTER COLUMN A SET DATA TYPE VARCHAR'), '002108');
	await many('CREATE VIEW D.WEB.V (P, Q) AS SELECT A, B2 FROM D.WEB.T',
		'CREATE OR REPLACE TABLE D.WEB.C AS SELECT P, COUNT(*) AS N FROM D.WEB.V GROUP BY P');
	assert.deepEqual(await rows('SELECT * FROM D.WEB.C'), [['7', '1']]);
	assert.equal(await code('DROP TABLE D.WEB.V'), '001940');
	assert.equal(await one('DROP VIEW D.WEB.V'), 'V successfully dropped.');
	assert.equal(await one('DROP VIEW IF EXISTS D.WEB.V'), 'Drop statement executed successfully (V already dropped).');
	assert.equal(await code('DROP VIEW D.WEB.V'), '002003');
	assert.equal(await code('SELECT A FROM D.WEB.V'), '002003');
	await many('ALTER TABLE D.WEB.T RENAME TO D.WEB.T2', 'TRUNCATE TABLE D.WEB.T2');
	assert.deepEqual(await rows('SELECT COUNT(*) FROM D.WEB.T2'), [['0']]);
	// an integration that is made again has another external id
	const integration = "STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::1:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://lake/r/')";
	const external = async () => (await rows('DESC INTEGRATION I')).find(r => r[0] === 'STORAGE_AWS_EXTERNAL_ID')[2];
	await many(`CREATE ${integration}`);
	const before = await external();
	await many(`CREATE STORAGE INTEGRATION IF NOT EXISTS ${integration.slice(20)}`);
	assert.equal(await external(), before);
	await many(`CREATE OR REPLACE ${integration}`);
	assert.notEqual(await external(), before);
	await many("CREATE STAGE D.WEB.S URL = 's3://lake/r/x/' STORAGE_INTEGRATION = I");
	assert.equal(await code("CREATE STAGE D.WEB.S2 URL = 's3://other/' STORAGE_INTEGRATION = I"), '003167');
	await many('DROP SCHEMA D.WEB', 'DROP DATABASE D');
	assert.equal(await code('SELECT * FROM D.WEB.T2'), '002003');
	await many('CREATE DATABASE D');
}

export async function whoMayWhat() {
	await world();
	await many('CREATE ROLE D_RO', 'CREATE ROLE D_RW', 'GRANT ROLE D_RO TO ROLE D_RW', 'INSERT INTO D.WEB.RAW (N) VALUES (1)');
	const reader = await as('READER', 'D_RO'), writer = await as('WRITER', 'D_RW'), select = 'SELECT N FROM D.WEB.RAW';
	const may = (sql, who, body) => code(sql, body, who);
	assert.equal(await may(select, reader), '002003');
	await many('GRANT USAGE ON DATABASE D TO ROLE D_RO', 'GRANT USAGE ON SCHEMA D.WEB TO ROLE D_RO',
		'GRANT USAGE ON WAREHOUSE WH TO ROLE D_RO');
	assert.equal(await may(select, reader), '002003'); // what one may not see is not there
	await many('GRANT SELECT ON TABLE D.WEB.RAW TO ROLE D_RO');
	assert.equal(await may(select, reader), 'none');
	assert.equal(await may(select, writer), 'none'); // by the role that it has
	assert.equal(await may('INSERT INTO D.WEB.RAW (N) VALUES (2)', reader), '003001');
	assert.equal(await may('DROP TABLE D.WEB.RAW', reader), '003001');
	assert.equal(await may('CREATE TABLE D.WEB.MINE (A NUMBER)', writer), '003001');
	await many('GRANT CREATE TABLE ON SCHEMA D.WEB TO ROLE D_RW', 'GRANT INSERT, UPDATE ON TABLE D.WEB.RAW TO ROLE D_RW');
	assert.equal(await may('CREATE TABLE D.WEB.MINE (A NUMBER)', writer), 'none');
	assert.equal(await may('INSERT INTO D.WEB.RAW (N) VALUES (2)', writer), 'none');
	assert.equal(await may('UPDATE D.WEB.RAW SET N = 3', writer), 'none');
	assert.equal(await may('DELETE FROM D.WEB.RAW', writer), '003001');
	assert.equal(await may('SELECT * FROM D.WEB.MINE', reader), '002003');
	assert.equal(await may('GRANT SELECT ON TABLE D.WEB.MINE TO ROLE D_RO', writer), 'none'); // its owner
	assert.equal(await may('SELECT * FROM D.WEB.MINE', reader), 'none');
	// who was given it with the option to pass it on does so, and nothing else
	assert.equal(await may('GRANT DELETE ON TABLE D.WEB.RAW TO ROLE D_RO', writer), '003001');
	await many('GRANT DELETE ON TABLE D.WEB.RAW TO ROLE D_RW WITH GRANT OPTION', 'GRANT DELETE ON TABLE D.WEB.RAW TO ROLE D_RW');
	assert.equal(await may('GRANT DELETE, INSERT ON TABLE D.WEB.RAW TO ROLE D_RO', writer), '003001');
	assert.equal(await may('GRANT DELETE ON TABLE D.WEB.RAW TO ROLE D_RO', writer), 'none');
	assert.equal(await may('REVOKE DELETE ON TABLE D.WEB.RAW FROM ROLE D_RW', writer), '003001');
	await many('REVOKE DELETE ON TABLE D.WEB.RAW FROM ROLE D_RO', 'REVOKE DELETE ON TABLE D.WEB.RAW FROM ROLE D_RW');
	await many('REVOKE SELECT ON TABLE D.WEB.RAW FROM ROLE D_RO', 'GRANT SELECT ON FUTURE TABLES IN SCHEMA D.WEB TO ROLE D_RO',
		'CREATE TABLE D.WEB.LATER (A NUMBER)');
	assert.equal(await may(select, reader), '002003');
	assert.equal(await may('SELECT * FROM D.WEB.LATER', reader), 'none');
	// a view is read with its owner's eyes
	await many('CREATE VIEW D.WEB.V AS SELECT N FROM D.WEB.RAW', 'GRANT SELECT ON VIEW D.WEB.V TO ROLE D_RO');
	assert.equal(await may('SELECT * FROM D.WEB.V', reader), 'none');
	assert.deepEqual((await rows('SHOW GRANTS ON VIEW D.WEB.V')).map(r => [r[1], r[2], r[3], r[5]]),
		[['SELECT', 'VIEW', 'D.WEB.V', 'D_RO'], ['OWNERSHIP', 'VIEW', 'D.WEB.V', 'ACCOUNTADMIN']]);
	assert.deepEqual((await rows('SHOW GRANTS TO ROLE D_RO')).filter(r => r[2] === 'VIEW').map(r => r[1]), ['SELECT']);
	assert.equal(await code('GRANT FLY ON TABLE D.WEB.RAW TO ROLE D_RO'), '003032');
	assert.equal(await code('GRANT SELECT ON TABLE D.WEB.RAW TO ROLE NOPE'), '002003');
	// by control: privileges that are missing on one object, whoever asks
	await control('POST', 'snowflake/deny', { object: 'D.WEB.DENIED', privilege: 'CREATE TABLE' });
	assert.equal(await code('CREATE TABLE D.WEB.DENIED (A NUMBER)'), '003001');
	assert.equal(await code('CREATE TABLE D.WEB.ALLOWED (A NUMBER)'), 'none');
	await control('DELETE', 'snowflake/deny');
	assert.equal(await code('CREATE TABLE D.WEB.DENIED (A NUMBER)'), 'none');
	// warehouses
	await control('POST', 'snowflake/warehouse', { name: 'WH', state: 'SUSPENDED', auto_resume: false });
	assert.equal(await code(select), '000606');
	assert.equal(await code('CREATE TABLE D.WEB.W (A NUMBER)'), 'none'); // needs none
	await control('POST', 'snowflake/warehouse', { name: 'WH', state: 'SUSPENDED', auto_resume: true });
	assert.equal(await code(select), 'none');
	await control('POST', 'snowflake/warehouse', { name: 'WH', monitor: 'LIMIT_10' });
	assert.equal(await code(select), '090073');
	await control('POST', 'snowflake/warehouse', { name: 'WH', monitor: null });
	assert.equal(await code(select, { warehouse: '' }), '000606');
	assert.equal(await code(select, { warehouse: 'NOPE' }), '000606');
	// another account has nothing of this one
	await control('POST', 'snowflake/account', { name: 'ACME-OTHER' });
	await control('POST', 'snowflake/user', { account: 'ACME-OTHER', name: user, public_key: key.body,
		default_role: 'ACCOUNTADMIN', default_warehouse: 'WH' });
	const other = { token: await jwt({ name: `ACME-OTHER.${user}` }) };
	assert.equal(await code(select, {}, other), '002003');
	await rows('CREATE DATABASE D', {}, other);
	assert.deepEqual((await rows('SHOW DATABASES', {}, other)).map(r => r[1]), ['D']);
}

export async function masks() {
	await world();
	await many('CREATE ROLE SEES', 'CREATE ROLE HIDDEN', 'CREATE TABLE D.WEB.P ("EMAIL" VARCHAR, N NUMBER)',
		"INSERT INTO D.WEB.P VALUES ('a@b', 1)",
		"CREATE MASKING POLICY D.WEB.M AS (VAL VARCHAR) RETURNS VARCHAR -> CASE WHEN IS_ROLE_IN_SESSION('SEES') THEN VAL ELSE '***' END COMMENT = 'm'",
		'ALTER TABLE D.WEB.P MODIFY COLUMN EMAIL SET MASKING POLICY D.WEB.M',
		...['SEES', 'HIDDEN'].flatMap(role => [`GRANT USAGE ON DATABASE D TO ROLE ${role}`,
			`GRANT USAGE ON SCHEMA D.WEB TO ROLE ${role}`, `GRANT USAGE ON WAREHOUSE WH TO ROLE ${role}`,
			`GRANT SELECT ON TABLE D.WEB.P TO ROLE ${role}`]));
	assert.deepEqual(await rows('SELECT * FROM D.WEB.P', {}, await as('S', 'SEES')), [['a@b', '1']]);
	assert.deepEqual(await rows("SELECT EMAIL, N FROM D.WEB.P WHERE EMAIL = '***'", {}, await as('H', 'HIDDEN')), [['***', '1']]);
	assert.deepEqual(await rows("SELECT REF_COLUMN_NAME, POLICY_NAME FROM TABLE(D.INFORMATION_SCHEMA.POLICY_REFERENCES(REF_ENTITY_NAME => 'D.WEB.P', REF_ENTITY_DOMAIN => 'TABLE'))"), [['EMAIL', 'M']]);
	assert.equal(await code('ALTER TABLE D.WEB.P MODIFY COLUMN N SET MASKING POLICY D.WEB.M'), '001492');
	assert.equal(await code('DROP MASKING POLICY D.WEB.M'), '001492');
	await many('ALTER TABLE D.WEB.P MODIFY COLUMN EMAIL UNSET MASKING POLICY', 'DROP MASKING POLICY D.WEB.M');
}

export async function derivedTables() {
	await world();
	await many(`INSERT INTO D.WEB.RAW SELECT PARSE_JSON('{"id":1,"v":1}'), 1`,
		`CREATE DYNAMIC TABLE D.WEB.CLEAN TARGET_LAG = '5 minutes' WAREHOUSE = WH AS SELECT RECORD:id::NUMBER AS ID, RECORD:v::NUMBER AS V, N FROM D.WEB.RAW
		QUALIFY ROW_NUMBER() OVER (PARTITION BY RECORD ORDER BY N) = 1`,
			'CREATE DYNAMIC TABLE D.WEB.LATEST TARGET_LAG = DOWNSTREAM WAREHOUSE = WH AS SELECT ID, MAX(V) AS V FROM D.WEB.CLEAN GROUP BY ID',
		`INSERT INTO D.WEB.RAW SELECT PARSE_JSON('{"v":2,"id":1}'), 2 UNION ALL SELECT PARSE_JSON('{"id":1,"v":2}'), 3`);
	const latest = () => rows('SELECT ID, V FROM D.WEB.LATEST');
	assert.deepEqual(await latest(), [['1', '1']]); // not yet
	await many('ALTER DYNAMIC TABLE D.WEB.LATEST REFRESH'); // and what it reads
	assert.deepEqual(await latest(), [['1', '2']]);
	assert.deepEqual(await rows('SELECT N FROM D.WEB.CLEAN ORDER BY 1'), [['1'], ['2']]);
	assert.equal(await code("INSERT INTO D.WEB.CLEAN VALUES (1, 1, 1)"), '001997');
	assert.equal(await code("CREATE DYNAMIC TABLE D.WEB.X TARGET_LAG = '10 seconds' WAREHOUSE = WH AS SELECT 1 AS A"), '002006');
	assert.equal(await code("CREATE DYNAMIC TABLE D.WEB.X TARGET_LAG = '1 minute' AS SELECT 1 AS A"), '002006');
	const shown = (await submit('SHOW DYNAMIC TABLES IN DATABASE D')).json,
		at = name => shown.resultSetMetaData.rowType.findIndex(c => c.name === name);
	assert.deepEqual(shown.data.map(r => [r[at('name')], r[at('target_lag')], r[at('warehouse')], r[at('scheduling_state')]]),
		[['CLEAN', '5 minutes', 'WH', 'ACTIVE'], ['LATEST', 'DOWNSTREAM', 'WH', 'ACTIVE']]);
	await many('ALTER DYNAMIC TABLE D.WEB.CLEAN SUSPEND');
	assert.equal(await code('ALTER DYNAMIC TABLE D.WEB.CLEAN REFRESH'), '092402');
	await many('ALTER DYNAMIC TABLE D.WEB.CLEAN RESUME', "ALTER DYNAMIC TABLE D.WEB.CLEAN SET TARGET_LAG = '1 minute'",
		'INSERT INTO D.WEB.RAW SELECT PARSE_JSON(\'{"id":9,"v":9}\'), 9');
	await control('POST', 'snowflake/tick');
	assert.deepEqual(await rows('SELECT MAX(ID) FROM D.WEB.LATEST'), [['9']]);

	// a stream tells what was put in since it was last consumed; a task merges it
	await many('CREATE TABLE D.WEB.ENTITY (ID NUMBER, V NUMBER)',
		'CREATE STREAM D.WEB."RAW$NEW" ON TABLE D.WEB.RAW APPEND_ONLY = TRUE',
		`CREATE TASK D.WEB."RAW$MERGE" WAREHOUSE = WH SCHEDULE = '1 MINUTE'
		WHEN SYSTEM$STREAM_HAS_DATA('D.WEB."RAW$NEW"') AS MERGE INTO D.WEB.ENTITY E USING (SELECT RECORD:id::NUMBER AS ID, RECORD:v::NUMBER AS V FROM D.WEB."RAW$NEW" QUALIFY ROW_NUMBER() OVER (PARTITION BY RECORD:id ORDER BY N DESC) = 1) S
		ON E.ID = S.ID WHEN MATCHED THEN UPDATE SET V = S.V WHEN NOT MATCHED THEN INSERT (ID, V) VALUES (S.ID, S.V)`,
	'INSERT INTO D.WEB.RAW SELECT PARSE_JSON(\'{"id":1,"v":10}\'), 10 UNION ALL SELECT PARSE_JSON(\'{"id":1,"v":11}\'), 11');
	assert.deepEqual(await rows('SELECT N, METADATA$ACTION FROM D.WEB."RAW$NEW" ORDER BY N'), [['10', 'INSERT'], ['11', 'INSERT']]);
	await control('POST', 'snowflake/tick');
	assert.deepEqual(await rows('SELECT * FROM D.WEB.ENTITY'), []); // tasks are made suspended
	await many('ALTER TASK D.WEB."RAW$MERGE" RESUME');
	await control('POST', 'snowflake/tick');
	assert.deepEqual(await rows('SELECT * FROM D.WEB.ENTITY'), [['1', '11']]);
	assert.deepEqual(await rows('SELECT COUNT(*) FROM D.WEB."RAW$NEW"'), [['0']]);
	await control('POST', 'snowflake/tick');
	assert.deepEqual(await rows("SELECT STATE FROM TABLE(D.INFORMATION_SCHEMA.TASK_HISTORY(TASK_NAME => 'RAW$MERGE')) ORDER BY COMPLETED_TIME"), [['SUCCEEDED'], ['SKIPPED']]);
	await many('INSERT INTO D.WEB.RAW SELECT PARSE_JSON(\'{"id":2,"v":5}\'), 12', 'EXECUTE TASK D.WEB."RAW$MERGE"');
	assert.deepEqual(await rows('SELECT * FROM D.WEB.ENTITY ORDER BY ID'), [['1', '11'], ['2', '5']]);
	// consumed in a transaction that is taken back: it is all there again
	await many('INSERT INTO D.WEB.RAW SELECT PARSE_JSON(\'{"id":3}\'), 13', 'BEGIN',
		'INSERT INTO D.WEB.ENTITY SELECT N, N FROM D.WEB."RAW$NEW"', 'ROLLBACK');
	assert.deepEqual(await rows('SELECT N FROM D.WEB."RAW$NEW"'), [['13']]);
	// two sources for one target row
	assert.equal(await code('MERGE INTO D.WEB.ENTITY E USING (SELECT 1 AS ID, 1 AS V UNION ALL SELECT 1, 2) S ON E.ID = S.ID WHEN MATCHED THEN UPDATE SET V = S.V'), '100090');
	assert.deepEqual(await rows('MERGE INTO D.WEB.ENTITY E USING (SELECT 1 AS ID, 7 AS V UNION ALL SELECT 8, 8) S ON E.ID = S.ID WHEN MATCHED THEN UPDATE SET V = S.V WHEN NOT MATCHED THEN INSERT (ID, V) VALUES (S.ID, S.V)'), [['1', '1']]);
}

export async function whatIsTold() {
	await world();
	await many('CREATE SCHEMA D."Mixed"', 'CREATE VIEW D.WEB.V COMMENT = \'v\' AS SELECT N FROM D.WEB.RAW',
		"CREATE TABLE D.\"Mixed\".\"raw\" (\"a\" NUMBER(10,2) NOT NULL, B TIMESTAMP_TZ) CLUSTER BY (B) COMMENT = '{\"river\":1}'");
	assert.deepEqual(await rows('SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, IS_DYNAMIC, CLUSTERING_KEY, COMMENT FROM D.INFORMATION_SCHEMA.TABLES ORDER BY 1, 2'),
		[['Mixed', 'raw', 'BASE TABLE', 'NO', 'LINEAR(B)', '{"river":1}'], ['WEB', 'RAW', 'BASE TABLE', 'NO', null, null],
			['WEB', 'V', 'VIEW', 'NO', null, 'v']]);
	assert.deepEqual(await rows('SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE, IS_NULLABLE FROM "D"."INFORMATION_SCHEMA"."COLUMNS" WHERE TABLE_NAME = \'raw\' ORDER BY ORDINAL_POSITION'),
		[['a', 'NUMBER', '10', '2', 'NO'], ['B', 'TIMESTAMP_TZ', null, null, 'YES']]);
	assert.deepEqual(await rows("SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME <> 'PUBLIC' ORDER BY 1",
		{ database: 'D' }), [['Mixed'], ['WEB']]);
	assert.equal(await code('SELECT * FROM INFORMATION_SCHEMA.TABLES'), '090105');
	assert.equal(await code('SELECT * FROM D.INFORMATION_SCHEMA.NOPE'), '002003');
	assert.deepEqual(await rows("SELECT PRIVILEGE_TYPE, GRANTEE FROM D.INFORMATION_SCHEMA.OBJECT_PRIVILEGES WHERE OBJECT_NAME = 'V'"), [['OWNERSHIP', 'ACCOUNTADMIN']]);
	assert.deepEqual((await rows("SHOW TABLES LIKE 'r%' IN DATABASE D")).map(r => r[1]).sort(), ['RAW', 'raw']);
	assert.deepEqual((await rows('SHOW SCHEMAS IN DATABASE D')).map(r => r[1]), ['Mixed', 'PUBLIC', 'WEB']);
	assert.deepEqual((await rows('SHOW TERSE VIEWS IN SCHEMA D.WEB')).map(r => r[1]), ['V']);
	const { json } = await submit('DESC USER RIVER');
	assert.equal(json.data.find(r => r[0] === 'RSA_PUBLIC_KEY_FP')[1], key.fingerprint);
	assert.equal(await code('SHOW NONSENSE THINGS'), '001003');
}

// ---- the official driver
snowflake.configure({ logLevel: 'OFF' });
function connect(more) {
	const connection = snowflake.createConnection({ account, username: user, accessUrl: process.env.EMUL_URL,
		authenticator: 'SNOWFLAKE_JWT', warehouse: 'WH', role: 'ACCOUNTADMIN', ...more });
	return new Promise((done, failed) => connection.connect(error => error ? failed(error) : done(connection)));
}
const execute = (connection, sqlText, binds) => new Promise((done, failed) => connection.execute({ sqlText, binds,
	complete: (error, statement, found) => error ? failed(error) : done(found) }));

export async function officialDriver() {
	await world();
	const connection = await connect({ privateKey: key.pem });
	assert.deepEqual(await execute(connection, 'SELECT CURRENT_USER() AS U, CURRENT_ROLE() AS R, 1 + 1 AS N, NULL AS X'),
		[{ U: 'RIVER', R: 'ACCOUNTADMIN', N: 2, X: null }]);
	await execute(connection, 'INSERT INTO D.WEB.RAW SELECT PARSE_JSON(?), ?', ['{"a":[1,"x"]}', 5]);
	const [row] = await execute(connection, 'SELECT RECORD, N, DATE \'2020-01-02\' AS D, TRUE AS B FROM D.WEB.RAW');
	assert.deepEqual([row.RECORD, row.N, row.D.toISOString().slice(0, 10), row.B], [{ a: [1, 'x'] }, 5, '2020-01-02', true]);
	await assert.rejects(execute(connection, 'SELECT * FROM D.WEB.NOPE'), error => error.code === '002003' &&
		/does not exist or not authorized/.test(error.message));
	// other ways in, and those that are none
	const other = pair();
	await assert.rejects(connect({ privateKey: other.pem }), /JWT token is invalid/);
	await control('POST', 'snowflake/user', { name: user, public_key_2: other.body });
	await connect({ privateKey: other.pem });
	await assert.rejects(connect({ account: 'ACME-WRONG', privateKey: key.pem }), /JWT token is invalid/);
	const { token } = await control('POST', 'snowflake/token', { user, kind: 'PROGRAMMATIC_ACCESS_TOKEN' });
	assert.deepEqual(await execute(await connect({ authenticator: 'PROGRAMMATIC_ACCESS_TOKEN', token }), 'SELECT 1 AS A'), [{ A: 1 }]);
	await assert.rejects(connect({ authenticator: 'OAUTH', token: 'nothing' }), /Invalid OAuth access token/);
	await control('POST', 'snowflake/user', { name: user, network: ['10.0.0.1'] });
	await assert.rejects(connect({ privateKey: key.pem }), /is not allowed to access Snowflake/);
}
