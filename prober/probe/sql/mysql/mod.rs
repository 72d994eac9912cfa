//! MySQL and MariaDB: their protocol in its text form, as far as one question in a read-only transaction needs it.
//!
//! Spoken here, on a connection of our own dialling, because the clients that there are dial by themselves, and then
//! neither phases nor limits would be ours. Deliberately absent: prepared statements, compression, local files, and
//! passwords sent where others can read them.
//!
//! | file | holds |
//! | --- | --- |
//! | [`packets`] | packets within limits, and their parts |
//! | [`greeting`] | what the server says first, and what is answered |
//! | [`auth`] | proofs of a password |
//! | [`session`] | signing in, and a question with its rows |
//! | [`cell`] | from texts to values |
//! | [`run`] | the conversation of a step, and what its failures mean |

mod auth;
mod cell;
mod greeting;
mod packets;
mod run;
mod session;

#[cfg(test)]
mod tests;
