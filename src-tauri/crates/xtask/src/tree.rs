//! Where things lie: the source tree and what is built from it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever `CARGO_TARGET_DIR` or a configuration file has put it.
    pub(crate) target: PathBuf,
}

impl Tree {
    pub(crate) fn find() -> Result<Self, String> {
        // Cargo sets the variable for programs that it runs; one started by hand uses the value from compile time.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let package = PathBuf::from(package);
        let root = package.ancestors().nth(3).ok_or("xtask does not lie in src-tauri/crates/xtask")?.to_owned();
        let program = env::current_exe().map_err(|error| format!("cannot tell where xtask lies: {error}"))?;
        // <target>/<profile>/xtask
        let target = program.ancestors().nth(2).ok_or("xtask does not lie in a target folder")?.to_owned();
        Ok(Self { root, target })
    }

    /// Where a program of the workspace lies once it is built.
    pub(crate) fn built(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// `program` with `args`, run in `folder` of the tree and with the same target folder.
    fn command(&self, folder: &str, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.root.join(folder)).env("CARGO_TARGET_DIR", &self.target);
        // Cargo describes xtask to xtask in these. Build scripts look at them too (ring's does), so that a build from here
        // would compile again what a build by hand has compiled, and the other way round.
        let of_xtask = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_xtask)) {
            command.env_remove(name);
        }
        command
    }

    /// The same Cargo that runs this program, in the root.
    ///
    /// Callers always pass `--workspace`: `--package` would resolve features differently and compile Candle and Tauri a
    /// second time.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        self.command("", &cargo, args)
    }

    pub(crate) fn npm(&self, folder: &str, args: &[&str]) -> Command {
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        self.command(folder, npm, args)
    }
}
