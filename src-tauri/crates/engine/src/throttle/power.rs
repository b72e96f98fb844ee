//! Whether the machine runs on its battery.

#[cfg(target_os = "linux")]
use std::path::Path;

/// Linux and Windows say; elsewhere it is taken to be on the mains.
pub fn on_battery() -> bool {
    #[cfg(target_os = "linux")]
    return sysfs(Path::new("/sys/class/power_supply"));
    #[cfg(windows)]
    return windows();
    #[cfg(not(any(target_os = "linux", windows)))]
    return false;
}

/// Reads what the kernel says of each supply (Documentation/ABI/testing/sysfs-class-power). A battery that discharges
/// while no charger is connected is what the machine runs on; batteries of mice and headsets have another scope.
#[cfg(target_os = "linux")]
fn sysfs(supplies: &Path) -> bool {
    let mut discharging = false;
    for supply in std::fs::read_dir(supplies).into_iter().flatten().flatten() {
        let says = |name: &str| std::fs::read_to_string(supply.path().join(name)).unwrap_or_default().trim().to_owned();
        match says("type").as_str() {
            "Battery" => discharging |= says("scope") != "Device" && says("status") == "Discharging",
            "Mains" | "USB" | "Wireless" if says("online") == "1" => return false,
            _ => {}
        }
    }
    discharging
}

#[cfg(windows)]
fn windows() -> bool {
    // SYSTEM_POWER_STATUS: four bytes of state, then two times in seconds.
    #[repr(C)]
    struct Status {
        ac_line: u8,
        _rest: [u8; 3],
        _seconds: [u32; 2],
    }
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetSystemPowerStatus(status: *mut Status) -> i32;
    }
    let mut status = Status { ac_line: 255, _rest: [0; 3], _seconds: [0; 2] };
    // SAFETY: the struct is as large as the system's, and lives through the call.
    let known = unsafe { GetSystemPowerStatus(&mut status) } != 0;
    known && status.ac_line == 0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    #[test]
    fn a_discharging_battery_without_a_charger_counts() {
        let dir = std::env::temp_dir().join(format!("nuthatch-power-{}", std::process::id()));
        let on_battery = |supplies: &[(&str, &[(&str, &str)])]| {
            let _ = fs::remove_dir_all(&dir);
            for (name, says) in supplies {
                fs::create_dir_all(dir.join(name)).unwrap();
                says.iter().for_each(|(file, text)| fs::write(dir.join(name).join(file), format!("{text}\n")).unwrap());
            }
            super::sysfs(&dir)
        };
        let battery = |status| ("BAT0", vec![("type", "Battery"), ("status", status)]);
        let (full, empty) = (battery("Full"), battery("Discharging"));
        let mains: (&str, &[_]) = ("AC", &[("type", "Mains"), ("online", "1")]);
        let unplugged: (&str, &[_]) = ("AC", &[("type", "Mains"), ("online", "0")]);
        let mouse: (&str, &[_]) = ("hid-1", &[("type", "Battery"), ("scope", "Device"), ("status", "Discharging")]);
        assert!(!on_battery(&[]), "a desktop machine");
        assert!(on_battery(&[(empty.0, &empty.1), unplugged]));
        assert!(on_battery(&[(empty.0, &empty.1)]));
        assert!(!on_battery(&[(full.0, &full.1), mains]));
        assert!(!on_battery(&[(empty.0, &empty.1), mains]), "a charger too weak is still one");
        assert!(!on_battery(&[mains, mouse]) && !on_battery(&[mouse]));
        let _ = fs::remove_dir_all(&dir);
    }
}
