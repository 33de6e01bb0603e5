//! Budgets of the agent on the demo service.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use tracer_tests::{Agent, Program, measure_again, newest_go, number, promise};

/// Most time from the start of the tracer to a live probe, without what it waits for a processor.
const ATTACH: Duration = Duration::from_millis(500);
/// Most resident memory of the agent, in bytes.
const MEMORY: u64 = 100 << 20;

/// One request to the service, so that it does something.
fn get(address: &str) {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    write!(stream, "GET / HTTP/1.0\r\n\r\n").expect("the service reads");
    let mut response = Vec::new();
    stream
        .read_to_end(&mut response)
        .expect("the service answers");
}

#[test]
fn the_demo_service_is_attached_quickly_and_in_little_memory() {
    let service = Program::start(&newest_go(), "service", &[]);
    let line = service.line();
    let address = line
        .rsplit("http://")
        .next()
        .expect("an address")
        .to_owned();
    measure_again(|| {
        tracer_tests::wait_for_earlier_detaches();
        let agent = Agent::record(service.pid(), &[]);
        let took = agent.wait_attached();
        for _ in 0..200 {
            get(&address);
        }
        let capture = agent.interrupt().capture();
        assert!(
            number(&capture, "/totals/allocs") > 200,
            "{}",
            capture["totals"]
        );
        let memory = number(&capture, "/overhead/agent_rss_bytes");
        assert!(memory < MEMORY, "{memory} bytes");
        promise(took < ATTACH, || format!("attached after {took:?}"))
    });
}
