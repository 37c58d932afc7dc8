//! What people do, on each engine: the binary is run, then the database is asked.

mod access;
mod adoption;
mod cut_short;
mod drift;
mod failure;
mod faults;
mod guards;
mod honest;
mod hooks;
mod init;
mod lock;
mod mysql;
mod mysql_client;
mod mysql_ledger;
mod phases;
mod readonly;
pub mod releases;
mod rollback;
mod script;
mod secrets;
mod settings;
mod shell;
mod stamp;
mod template;
mod tls;
mod undecided;
mod words;
