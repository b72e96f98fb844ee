//! System packages: installed if we are root, otherwise named in an error.

use std::process::Command;

use crate::step::{run, say};

/// What the app is compiled against. WebKitGTK brings GTK, libsoup and their headers along.
pub(crate) const BUILD: &[&str] = &["pkg-config", "libwebkit2gtk-4.1-dev"];

/// What the desktop test needs in addition: a virtual display, the driver of the web view, and a Chinese font, so that
/// a screenshot shows what a user would see.
pub(crate) const DESKTOP_TEST: &[&str] = &["xvfb", "xauth", "webkit2gtk-driver", "dbus", "fonts-noto-cjk"];

/// Makes sure that the Debian packages are installed. macOS and Windows come with what the app needs.
pub(crate) fn ensure(packages: &[&str]) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let Some(missing) = missing(packages) else { return without_dpkg() };
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root() {
        return Err(format!(
            "system packages are missing; run this, then try again:\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends {list}"
        ));
    }
    say(&format!("installing system packages: {list}"));
    run(apt_get().args(["update", "-q"]))?;
    run(apt_get().args(["install", "-y", "-q", "--no-install-recommends"]).args(&missing))
}

/// Those of `packages` that are not installed; `None` if there is no dpkg to ask.
fn missing<'a>(packages: &[&'a str]) -> Option<Vec<&'a str>> {
    // dpkg-query fails if it does not know one of the packages, but still writes the lines of the others.
    let asked = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${binary:Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .ok()?;
    Some(not_installed(packages, &String::from_utf8_lossy(&asked.stdout)))
}

/// `answer` has one line per package: its name (perhaps with `:architecture`) and its state.
fn not_installed<'a>(packages: &[&'a str], answer: &str) -> Vec<&'a str> {
    let installed = |name: &&&str| {
        answer
            .lines()
            .filter_map(|line| line.split_once(' '))
            .any(|(package, state)| package.split(':').next() == Some(**name) && state == "installed")
    };
    packages.iter().filter(|name| !installed(name)).copied().collect()
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn without_dpkg() -> Result<(), String> {
    match Command::new("pkg-config").args(["--exists", "webkit2gtk-4.1"]).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the window is built on WebKitGTK: install pkg-config and the development files of webkit2gtk-4.1 \
                  (Fedora: webkit2gtk4.1-devel, Arch: webkit2gtk-4.1), then try again"
            .to_owned()),
    }
}

fn is_root() -> bool {
    let asked = Command::new("id").arg("-u").output();
    asked.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_counts_only_when_it_is_installed() {
        let answer = "xvfb installed\nlibfoo-dev:amd64 installed\nremoved config-files\n";
        assert_eq!(not_installed(&["xvfb", "libfoo-dev", "removed", "unknown"], answer), ["removed", "unknown"]);
    }
}
