//! `sharpeyes user`: the people who may sign in, managed while the service is stopped.

use crate::{
    config::Config,
    node,
    output::{self, Failure},
};
use serde::Serialize;
use std::{path::PathBuf, process::ExitCode};
use store::{Role, Store};
use web::users::Duties;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Config file.
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/sharpeyes/sharpeyes.toml")]
    config: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show every user.
    List,
    /// Add a user and print a one-time password.
    Add {
        /// Name to sign in with.
        name: String,
        /// operator, technician, auditor, administrator or security.
        #[arg(long, value_parser = role)]
        role: Role,
        /// Full name, for the audit log.
        #[arg(long, default_value = "")]
        full_name: String,
        /// Unit 单位, for the audit log.
        #[arg(long, default_value = "")]
        unit: String,
    },
    /// Give a user a new one-time password; ends his sessions.
    Password {
        /// Name to sign in with.
        name: String,
    },
    /// Take a user's second factor away: his phone is lost, and his recovery codes too.
    SecondFactorOff {
        /// Name to sign in with.
        name: String,
    },
    /// Forbid a user to sign in; ends his sessions.
    Disable {
        /// Name to sign in with.
        name: String,
    },
    /// Allow a user to sign in again.
    Enable {
        /// Name to sign in with.
        name: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_code(text).ok_or_else(|| "expected operator, technician, auditor, administrator or security".into())
}

#[derive(Serialize)]
struct Shown {
    name: String,
    full_name: String,
    unit: String,
    role: Role,
    active: bool,
}

#[derive(Serialize)]
struct OneTime<'a> {
    name: &'a str,
    password: &'a str,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = Config::read(&args.config).map_err(Failure::setup)?;
    let store = node::open_store(&config).await?;
    let done = act(store.as_ref(), config.web.duties(), args.action, args.json).await;
    store.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn act(store: &dyn Store, duties: Duties, action: Action, json: bool) -> Result<(), Failure> {
    match action {
        Action::List => {
            let users = store.users().await.map_err(Failure::work)?.into_iter().map(|u| Shown {
                name: u.name,
                full_name: u.full_name,
                unit: u.unit,
                role: u.role,
                active: u.active,
            });
            let users: Vec<Shown> = users.collect();
            if json {
                output::json(&users);
            } else {
                for user in users {
                    let state = if user.active { "active" } else { "disabled" };
                    output::line(format_args!(
                        "{}\t{}\t{state}\t{}\t{}",
                        user.name,
                        user.role.code(),
                        user.full_name,
                        user.unit
                    ));
                }
            }
        }
        Action::Add { name, role, full_name, unit } => {
            let first = web::users::add(store, &name, &full_name, &unit, role).await.map_err(Failure::setup)?;
            tell(json, &first);
        }
        Action::Password { name } => {
            let first = web::users::reset_password(store, &name).await.map_err(Failure::setup)?;
            tell(json, &first);
        }
        Action::SecondFactorOff { name } => {
            web::users::remove_second_factor(store, &name).await.map_err(Failure::setup)?;
        }
        Action::Disable { name } => {
            web::users::set_active(store, &name, false, duties).await.map_err(Failure::setup)?;
        }
        Action::Enable { name } => web::users::set_active(store, &name, true, duties).await.map_err(Failure::setup)?,
    }
    Ok(())
}

fn tell(json: bool, first: &web::users::OneTimePassword) {
    if json {
        output::json(&OneTime { name: &first.name, password: first.password.expose() });
    } else {
        output::line(format_args!("one-time password of {}: {}", first.name, first.password.expose()));
    }
}
