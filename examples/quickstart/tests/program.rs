//! The quickstart as a program, as `cargo run -p quickstart` starts it.

use xcore_tests::{Program, wire};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/xcore.yaml");

fn quickstart() -> Program {
    Program::new(env!("CARGO_BIN_EXE_quickstart"), CONFIG)
}

#[test]
fn visits_are_counted_for_each_tenant_on_its_own() {
    let server = quickstart().serve();
    for (tenant, visits) in [("acme", 1), ("acme", 2), ("globex", 1)] {
        let reply = wire::get(server.address, tenant, "/visits").unwrap();
        assert_eq!((reply.status, reply.body), (200, format!("{tenant} was visited {visits} times\n")));
    }
    server.stop();
}

#[test]
fn the_line_of_its_documentation_can_be_tried() {
    let source = include_str!("../src/main.rs");
    let line = source.lines().find_map(|line| line.strip_prefix("//! curl -H ")).unwrap();
    let (header, url) = line.rsplit_once(' ').unwrap();
    let (name, value) = header.trim_matches('\'').split_once(": ").unwrap();
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    assert!(std::fs::read_to_string(CONFIG).unwrap().contains(&format!("listen: {address}\n")));

    let server = quickstart().serve();
    let request = wire::request("GET", &format!("/{path}"), &[(name, value.as_bytes())], "");
    let reply = wire::send(server.address, &request).unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (200, "acme was visited 1 times\n"));
    // So can what it prints at the start.
    for tenant in ["acme", "globex"] {
        let line = format!("curl -H 'X-Tenant-ID: {tenant}' http://{}/visits", server.address);
        assert!(server.greeting.contains(&line), "{}", server.greeting);
    }
    server.stop();
}
