//! `man`: manual pages, made from the command line's own help.

use super::{
    app::{App, Halt},
    args::{self, Cli},
};
use crate::{
    model::{Class, Finding},
    report::json,
};
use clap::{Command, CommandFactory as _};
use serde_json::json;
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

/// Prints one page, or writes all.
pub fn run(app: &App, args: &args::Man) -> Result<u8, Halt> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let Some(folder) = &args.out else {
        let page = page(&find(&root, &args.command)?)?;
        if app.global.json {
            let fields = json!({ "exit_code": 0, "page": String::from_utf8_lossy(&page) });
            app.document(&json::document("man", fields))?;
        } else {
            app.print(|out| out.write_all(&page))?;
        }
        return Ok(0);
    };
    let mut names = vec![];
    write_all(folder, &root, app.global.noop, &mut names).map_err(|error| {
        let message = format!("cannot write manual pages to `{}`: {error}", folder.display());
        Halt::Findings(vec![Finding::new(Class::Usage, "", message)])
    })?;
    names.sort();
    if app.global.json {
        app.document(&json::document("man", json!({ "exit_code": 0, "files": names, "written": !app.global.noop })))?;
    } else {
        let verb = if app.global.noop { "would write" } else { "wrote" };
        app.print(|out| names.iter().try_for_each(|name| writeln!(out, "{verb} {name}")))?;
    }
    Ok(0)
}

fn find(root: &Command, words: &[String]) -> Result<Command, Halt> {
    let mut command = root;
    for word in words {
        command = command
            .find_subcommand(word.replace('-', "_"))
            .or_else(|| command.find_subcommand(word))
            .ok_or_else(|| {
                let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
                let message = format!("`{}` has no command `{word}`", command.get_name());
                let way_out = if known.is_empty() { String::new() } else { format!("it has {}", known.join(", ")) };
                Halt::Findings(vec![Finding::new(Class::Usage, "", message).way_out(way_out)])
            })?;
    }
    Ok(command.clone())
}

fn write_all(folder: &Path, command: &Command, noop: bool, names: &mut Vec<String>) -> io::Result<()> {
    let file = folder.join(format!("{}.1", title(command)));
    if !noop {
        fs::create_dir_all(folder)?;
        fs::write(&file, page(command)?)?;
    }
    names.push(file.display().to_string());
    command.get_subcommands().try_for_each(|sub| write_all(folder, sub, noop, names))
}

/// `triphase-plan-add`.
fn title(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).replace(' ', "-")
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = vec![];
    clap_mangen::Man::new(command.clone())
        .title(title(command).to_uppercase())
        .source(concat!("triphase ", env!("CARGO_PKG_VERSION")))
        .manual("triphase manual")
        .render(&mut page)?;
    Ok(page)
}
