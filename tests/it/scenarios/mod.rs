//! What people do, on each engine: the binary is run, then the database is asked.

mod access;
mod drift;
mod failure;
mod faults;
mod guards;
mod lock;
mod mysql;
mod mysql_client;
mod phases;
mod readonly;
mod releases;
mod rollback;
mod script;
mod secrets;
