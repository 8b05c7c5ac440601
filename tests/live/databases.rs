//! The guide's lines for database dumps before a backup, on real servers.

use crate::host::Host;

/// A server: its name in the guide, the start of its container, and lines for its shell. `load` loads the dump into a
/// restored container.
struct Server {
    name: &'static str,
    options: &'static str,
    start: &'static str,
    fill: &'static str,
    count: &'static str,
    lose: &'static str,
    load: &'static str,
}

const MARIADB: Server = Server {
    name: "mariadb",
    // MySQL and MariaDB images each use one of them.
    options: "--env MARIADB_ROOT_PASSWORD=of-the-root --env MYSQL_ROOT_PASSWORD=of-the-root",
    start: "install -d /run/mysqld; [ -d /data/mysql ] || mariadb-install-db --user=root --datadir=/data; exec mariadbd --user=root --datadir=/data",
    fill: "mariadb -p$MARIADB_ROOT_PASSWORD -e quit || mariadb -e \"alter user root@localhost identified by '$MARIADB_ROOT_PASSWORD'\"
        mariadb -p$MARIADB_ROOT_PASSWORD -e 'create or replace database site; use site; create table entries select seq from seq_1_to_1000'",
    count: "mariadb -p$MARIADB_ROOT_PASSWORD -N -e 'select count(*) from site.entries'",
    lose: "mariadb -p$MARIADB_ROOT_PASSWORD -e 'drop database site'",
    load: "mariadb -p$MARIADB_ROOT_PASSWORD </backup.sql",
};

const SERVERS: &[Server] = &[
    Server {
        name: "postgres",
        options: "",
        start: "[ -d /data/db ] || { install -d -o postgres /data/db; setpriv --reuid postgres initdb --no-locale -U postgres -D /data/db; }
            exec setpriv --reuid postgres --clear-groups postgres -D /data/db",
        fill: "psql -U postgres -c 'create table rows as select generate_series(1, 1000) n'",
        count: "psql -U postgres -tAc 'select count(*) from rows'",
        lose: "psql -U postgres -c 'drop table rows'",
        load: "psql -U postgres -f /backup.sql",
    },
    MARIADB,
    // The same server, with the older name of its program.
    Server { name: "mysql", ..MARIADB },
    Server {
        name: "redis",
        options: "",
        start: "exec redis-server --dir /data --save '' --shutdown-on-sigterm nosave",
        fill: "seq 1000 | sed 's/.*/set key& &/' | redis-cli",
        count: "redis-cli dbsize | tr -dc 0-9; echo",
        lose: "redis-cli flushall",
        // The server reads the file at its start. A server that has just been started may not answer yet.
        load: "[ \"$(redis-cli dbsize | tr -dc 0-9)\" = 1000 ] || { cp /backup.rdb /data/dump.rdb; redis-cli shutdown nosave; exit 1; }",
    },
    Server {
        name: "site",
        options: "",
        start: "exec sleep 86400",
        fill: "sqlite3 /data/site.db 'pragma journal_mode = wal; create table rows (n);
            with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000) insert into rows select n from c'",
        count: "sqlite3 /data/site.db 'select count(*) from rows'",
        lose: "rm /data/site.db*",
        load: "cp /data/backup.db /data/site.db",
    },
];

/// Returns the guide's options of `docker run` for a database.
fn documented(name: &str) -> String {
    let guide = include_str!("../../src/guide/backup.md");
    let line = guide.lines().find_map(|line| line.strip_prefix("docker run ")?.strip_suffix(&format!(" {name}")));
    line.unwrap_or_else(|| panic!("the guide has no line for {name}")).to_owned()
}

#[test]
#[ignore = "needs a private host: tests/run"]
fn documented_database_dumps_restore_all_rows_without_a_pause() {
    let mut host = Host::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/hosts/databases").display().to_string();
    host.sh(&format!(
        "tar -C {root} --exclude './usr/share/*' --exclude './var/lib/apt/*' --exclude './var/lib/mysql/*' -c . >image.tar
         tar -C {root} -c ./usr/share/mariadb ./usr/share/postgresql ./usr/share/zoneinfo >more.tar
         tar -A -f image.tar more.tar; docker import image.tar databases:1; rm image.tar more.tar; date +%s >begun"
    ))
    .ok();
    let path =
        host.sh(&format!("dirname $(ls {root}/usr/lib/postgresql/*/bin/initdb | tail -n 1) | sed 's,^{root},,'")).ok();
    for server in SERVERS {
        let Server { name, options, start, .. } = server;
        let label = documented(name);
        std::fs::write(host.path("start"), start).unwrap();
        host.sh(&format!(
            "docker run --detach --name {name} {label} {options} --restart always --volume {name}:/data \
             --env PATH={}:/usr/sbin:/usr/bin:/sbin:/bin databases:1 sh -c \"$(cat start)\"",
            path.trim()
        ))
        .ok();
        let run = |host: &mut Host, line: &str| {
            std::fs::write(host.path("inside"), line).unwrap();
            host.sh(&format!("docker exec {name} sh -ec \"$(cat inside)\""))
        };
        let counted = |host: &mut Host| {
            std::fs::write(host.path("count"), server.count).unwrap();
            host.until(60, &format!("[ \"$(docker exec {name} sh -ec \"$(cat count)\" 2>>{name}.log)\" = 1000 ]"));
        };
        // Waits for its first answer.
        std::fs::write(host.path("fill"), server.fill).unwrap();
        host.until(60, &format!("docker exec {name} sh -ec \"$(cat fill)\" >>{name}.log 2>&1"));
        counted(&mut host);
        let backup = host.script(&format!("-v backup {name} --tag v1"));
        assert!(!backup.out.contains("of-the-root") && !backup.err.contains("of-the-root"), "{}", backup.err);
        backup.ok();
        run(&mut host, server.lose).ok();
        host.script(&format!("restore {name} v1{}", if *name == "site" { " --volumes" } else { "" })).ok();
        std::fs::write(host.path("load"), server.load).unwrap();
        host.until(60, &format!("docker exec {name} sh -ec \"$(cat load)\" >>{name}.log 2>&1"));
        counted(&mut host);
    }
    let paused = host.sh("docker events --since $(cat begun) --until $(date +%s) --filter event=pause").ok();
    assert_eq!(paused, "");
}
