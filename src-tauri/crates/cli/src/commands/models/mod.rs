//! `nuthatch models`: lists models, checks their files, imports and fetches more, and calibrates their scores.

mod calibrate;

use std::io::Write;
use std::path::Path;

use nuthatch_inference::ModelInfo;
use nuthatch_inference::store::{FetchError, FetchOptions, FetchProgress, FileCheck, Place};
use serde_json::json;

use crate::args::ModelsCommand;
use crate::failure::Failure;
use crate::progress::{self, ByteBar};
use crate::session::Session;
use crate::style::{Style, printable};

pub(crate) fn run(command: ModelsCommand, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    match command {
        ModelsCommand::List => list(session),
        ModelsCommand::Verify { name } => verify(name.as_deref(), session),
        ModelsCommand::Import { dir } => import(&dir, session),
        ModelsCommand::Fetch { name } => fetch(&name, session),
        ModelsCommand::Calibrate(args) => calibrate::run(&args, session),
    }
}

fn list(session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let models = session.store()?.list();
    session.answer(&json!({ "models": models }), |out, style| {
        models.iter().try_for_each(|model| write_model(out, model, style))
    })
}

fn write_model(out: &mut dyn Write, model: &ModelInfo, style: Style) -> std::io::Result<()> {
    let ModelInfo { name, kind, licence, size_bytes, .. } = model;
    let default = if model.default { ", default" } else { "" };
    let megabytes = *size_bytes as f64 / 1e6;
    writeln!(out, "{}", style.bold(&printable(name)))?;
    writeln!(out, "  {kind}{default}, {megabytes:.1} MB, {}", printable(licence))?;
    let place = match &model.place {
        Place::Shipped { folder } => format!("built in: {}", folder.display()),
        Place::Local { folder } => format!("here: {}", folder.display()),
        Place::Absent { reason } => format!("not here: {reason}"),
    };
    writeln!(out, "  {}", style.dim(&printable(&place)))
}

/// Checks one model, or all that are here. The exit code is 1 if a file has the wrong sum.
fn verify(name: Option<&str>, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let store = session.store()?;
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let here = store.list().into_iter().filter(|model| !matches!(model.place, Place::Absent { .. }));
            here.map(|model| model.name).collect()
        }
    };
    let bar = progress::bar(session.shows_progress(), "checking", names.len() as u64);
    let mut checked: Vec<(String, Vec<FileCheck>)> = Vec::new();
    for name in names {
        let files = store.verify(&name)?;
        checked.push((name, files));
        bar.inc(1);
    }
    bar.finish_and_clear();

    let models: Vec<_> = checked
        .iter()
        .map(|(name, files)| json!({ "name": name, "right": files.iter().all(FileCheck::is_right), "files": files }))
        .collect();
    session.answer(&json!({ "models": models }), |out, style| {
        checked.iter().try_for_each(|(name, files)| write_check(out, name, files, style))
    })?;
    let all_right = checked.iter().flat_map(|(_, files)| files).all(FileCheck::is_right);
    if all_right { Ok(()) } else { Err(Failure::Nothing) }
}

fn write_check(out: &mut dyn Write, name: &str, files: &[FileCheck], style: Style) -> std::io::Result<()> {
    writeln!(out, "{}", style.bold(&printable(name)))?;
    for file in files {
        let verdict = match &file.expected {
            None => style.dim("no sum to compare with"),
            Some(_) if file.is_right() => style.dim("right"),
            Some(expected) => style.warning(&format!("WRONG: {} instead of {expected}", file.sha256)),
        };
        writeln!(out, "  {}: {verdict}", printable(&file.file.display().to_string()))?;
    }
    Ok(())
}

/// Imports a model folder; the store loads the model once before it copies the folder.
fn import(dir: &Path, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let mut store = session.store()?;
    let name = store.import(dir).map_err(|error| Failure::failed("model", error.to_string()))?;
    let here = store.list().into_iter().find(|model| model.name == name);
    session.answer(&here, |out, style| here.iter().try_for_each(|model| write_model(out, model, style)))
}

fn fetch(name: &str, session: &mut Session<'_, '_>) -> Result<(), Failure> {
    let mut bar = ByteBar::new(session.shows_progress());
    let mut show = |step: &FetchProgress| bar.show(&step.file, step.done_bytes, step.total_bytes);
    let fetched = session.store()?.fetch(name, &FetchOptions::from_env(), &session.cancel(), &mut show);
    drop(bar);
    fetched.map_err(|error| match error {
        FetchError::Cancelled => Failure::Interrupted,
        other => Failure::failed("fetch", other.to_string()),
    })?;
    // The store is opened again to read the fetched model's own entry.
    let here = session.store()?.list().into_iter().find(|model| model.name == name);
    session.answer(&here, |out, style| here.iter().try_for_each(|model| write_model(out, model, style)))
}
