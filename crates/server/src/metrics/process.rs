//! The process, by the names that every Prometheus library uses.

use super::family::Metrics;

/// Reads what the system tells of this process; nothing where it is no Linux.
pub(super) fn read(metrics: &mut Metrics) {
    #[cfg(target_os = "linux")]
    linux(metrics);
    #[cfg(not(target_os = "linux"))]
    let _ = metrics;
}

#[cfg(target_os = "linux")]
fn linux(metrics: &mut Metrics) {
    use procfs::process::{LimitValue, Process};
    use procfs::{CurrentSI, KernelStats, WithCurrentSystemInfo};

    #[expect(clippy::cast_precision_loss, reason = "bytes and ticks beyond 2^53 are of no concern")]
    let float = |count: u64| count as f64;
    let Ok(process) = Process::myself() else { return };
    if let Ok(stat) = process.stat() {
        let ticks = float(procfs::ticks_per_second());
        let spent = float(stat.utime + stat.stime) / ticks;
        metrics.seconds("process_cpu_seconds", "Time on processors, user and system", spent);
        metrics.gauge("process_resident_memory_bytes", "Memory that is resident", float(stat.rss_bytes().get()));
        metrics.gauge("process_virtual_memory_bytes", "Memory that is mapped", float(stat.vsize));
        #[expect(clippy::cast_precision_loss, reason = "threads are few")]
        metrics.gauge("process_threads", "Threads", stat.num_threads as f64);
        if let Ok(kernel) = KernelStats::current() {
            let start = float(kernel.btime) + float(stat.starttime) / ticks;
            metrics.gauge("process_start_time_seconds", "When it started, as a Unix time", start);
        }
    }
    if let Ok(open) = process.fd_count() {
        metrics.gauge("process_open_fds", "Files and sockets that are open", float(open as u64));
    }
    if let Ok(limits) = process.limits()
        && let LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        metrics.gauge("process_max_fds", "Files and sockets that may be open", float(most));
    }
}
