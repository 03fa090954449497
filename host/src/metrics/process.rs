//! What the system says of this process, under the names that Prometheus has for that: `process_…`.
//! What it does not say, as elsewhere than on Linux, is left out.

use std::{fs, sync::atomic::AtomicU64};

use prometheus_client::{
    metrics::counter::Counter,
    registry::{Registry, Unit},
};
use rustix::process::Resource;

use super::gauge;

/// Fields of `/proc/self/stat` behind the name of the program.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const START_TIME: usize = 19;
const VIRTUAL_MEMORY: usize = 20;
const RESIDENT_PAGES: usize = 21;

pub(super) fn registry() -> Registry {
    let mut registry = Registry::default();
    let r = &mut registry;
    // The name of the program, in parentheses, may hold anything.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let fields: Vec<f64> = fields.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    let second = rustix::param::clock_ticks_per_second() as f64;
    let field = |at: usize| fields.get(at).copied();
    if let (Some(user), Some(system)) = (field(USER_TIME), field(SYSTEM_TIME)) {
        let cpu = Counter::<f64, AtomicU64>::default();
        cpu.inc_by((user + system) / second);
        let help = "Processor time of this process, without that of its children";
        r.register_with_unit("process_cpu", help, Unit::Seconds, cpu);
    }
    if let (Some(start), Some(boot)) = (field(START_TIME), boot_time()) {
        let help = "When this process was started, since 1970";
        gauge(r, "process_start_time", help, Some(Unit::Seconds), boot + start / second);
    }
    if let (Some(bytes), Some(pages)) = (field(VIRTUAL_MEMORY), field(RESIDENT_PAGES)) {
        let resident = pages * rustix::param::page_size() as f64;
        let help = "Memory that this process holds, without that of its children";
        gauge(r, "process_resident_memory", help, Some(Unit::Bytes), resident);
        let help = "Memory that this process has reserved, most of which it does not hold";
        gauge(r, "process_virtual_memory", help, Some(Unit::Bytes), bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One is open to read them.
        let count = open.count().saturating_sub(1) as f64;
        gauge(r, "process_open_fds", "Files and connections that this process has open", None, count);
    }
    if let Some(most) = rustix::process::getrlimit(Resource::Nofile).current {
        let help = "Files and connections that this process may have open";
        gauge(r, "process_max_fds", help, None, most as f64);
    }
    registry
}

/// When the system was started, in seconds since 1970.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
