//! Templates: a release's SQL is filled in from the target's `vars`, where the release asks for it.

use crate::harness::{Bench, Engine, on_each_engine};

on_each_engine!(
    vars_are_filled_in_and_stored,
    what_is_no_template_stays_as_it_is,
    what_is_wrong_is_found_where_it_stands,
    a_resume_goes_by_what_ran,
    no_drift_follows_from_what_can_not_be_read,
);

const RELEASE: &str = "
template: true
steps:
  tables:
    add:
      - sql_file: ../sql/tables.sql
      - expect: SELECT count(*) = {{ rows | default(0) }} FROM {{ prefix }}_one
    rollback_add: |
      {% for name in names %}DROP TABLE {{ prefix }}_{{ name }};
      {% endfor %}
";

fn project(engine: Engine) -> Bench {
    let bench = Bench::new(engine);
    bench.target("vars:\n  prefix: app\n  names: [one, two]\n  note: it's\n");
    bench.release("v1", RELEASE);
    bench.write(
        "sql/tables.sql",
        "{% for name in names %}CREATE TABLE {{ prefix }}_{{ name }} (note text DEFAULT {{ note | literal }});\n{% endfor %}",
    );
    bench
}

fn vars_are_filled_in_and_stored(engine: Engine) {
    let bench = project(engine);
    bench.ok("plan add").says("CREATE TABLE app_one (note text DEFAULT 'it''s')").hides("{{");
    bench.ok("ff");
    bench.db.query(match engine {
        Engine::Sqlite => "INSERT INTO app_two DEFAULT VALUES",
        Engine::Postgres | Engine::Mariadb => "INSERT INTO app_two VALUES (DEFAULT)",
    });
    assert_eq!(bench.db.value("SELECT note FROM app_two"), "it's");
    // Other variables are no drift, and a rollback takes back what ran.
    bench.target("vars:\n  prefix: other\n  names: [three]\n  note: none\n");
    bench.ok("check");
    bench.write("sql/tables.sql", "CREATE TABLE {{ prefix }}_one (id integer);\n");
    bench.ends(6, "check").says("v1/tables");
    bench.ok("rollback_add v1");
    assert!(!bench.db.has_table("app_one") && !bench.db.has_table("app_two"));
}

fn what_is_no_template_stays_as_it_is(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "steps:\n  one:\n    add: |\n      CREATE TABLE one (a text);\n      INSERT INTO one VALUES ('{{1,2},{3,4}}');\n");
    bench.ok("ff");
    assert_eq!(bench.db.value("SELECT a FROM one"), "{{1,2},{3,4}}");
}

fn what_is_wrong_is_found_where_it_stands(engine: Engine) {
    let bench = project(engine);
    bench.write("sql/tables.sql", "CREATE TABLE a (id integer);\nCREATE TABLE {{ prefx }}_b (id integer);\n");
    bench.ends(2, "ff").says("error[F7]").says("sql/tables.sql:2:17").says("prefx");
    bench.write("sql/tables.sql", "BEGIN; CREATE TABLE {{ prefix }}_b (id integer);\n");
    bench.ends(2, "ff").says("error[F9]").says("sql/tables.sql:1:1");
    bench.target("vars:\n  db_password: x\n");
    bench.ends(2, "ff").says("error[F7]").says("conf.d/test.yaml:3:3").hides("error[F9]");
    assert!(bench.db.tables().is_empty());
}

fn a_resume_goes_by_what_ran(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release(
        "v1",
        "template: true\nsteps:\n  one:\n    add:\n      - sql: CREATE TABLE {{ name }} (id integer)\n        transaction: false\n      - sql: SELECT \
         {{ then }}\n        transaction: false\n",
    );
    bench.target("vars: {name: one, then: nonsense}\n");
    bench.ends(1, "add v1").says("nonsense");
    bench.target("vars: {name: two, then: nonsense}\n");
    bench.ends(6, "add v1").says("L6").says("since the target's `vars` were changed").hides("edited");
    bench.ends(6, "check").says("L6");
    bench.target("vars: {name: one, then: '1'}\n");
    bench.ok("add v1");
    assert!(bench.db.has_table("one") && !bench.db.has_table("two"));
}

fn no_drift_follows_from_what_can_not_be_read(engine: Engine) {
    let bench = Bench::new(engine);
    bench.release("v1", "template: true\nsteps:\n  one:\n    add: CREATE TABLE {{ name }} (id integer)\n");
    bench.target("vars: {name: one}\n");
    bench.ok("add v1");
    bench.target("vars: {other: one}\n");
    bench.ends(2, "check").says("at `name`").hides("L7").hides("pending").hides("repair accept");
    bench.ends(2, "repair accept v1/one --reason so").says("is not valid");
    let shown = bench.ok("show --json").stdout;
    assert!(shown.contains(r#""in_files":true"#), "{shown}");
    bench.release("v1", "steps: [\n");
    bench.ends(2, "check").hides("L11");
    bench.ok("show").hides("not in the files");
}
