//! A conversation with MySQL or MariaDB, and what its failures mean.

use std::time::Instant;

use model::outcome::{Failure, FailureClass};
use model::step::Phase;

use super::session::{Greeted, Login, MyError, Refusal, Session};
use crate::net::dial::dial;
use crate::net::fault::{self, within};
use crate::net::resolve::Family;
use crate::net::starttls::Protocol;
use crate::sql::rows::Rows;
use crate::sql::run::{Conversation, GOODBYE, word};
use crate::sql::session::Duplex;

impl Conversation<'_> {
    /// The rows of the query.
    ///
    /// # Errors
    /// Classes `dns`, `connect`, `tls`, `protocol`, `timeout`, and `local` for what the dsn or this machine lacks.
    pub(in crate::sql) async fn mysql_rows(&mut self, user: &str, password: &str) -> Result<Rows, Failure> {
        let dsn = self.dsn;
        let tcp = dial(self.shared, &dsn.address, Family::Any, &mut self.entry).await?;
        self.entry.enter(Phase::Wait);
        let greeted = Greeted::read(tcp, &mut self.entry).await.map_err(|error| self.mysql_failure(error))?;
        let login = Login { user, password, database: &dsn.database };
        if dsn.tls {
            self.entry.enter(Phase::Tls);
            let asked = greeted.request_tls(login.database).await;
            let (tcp, server) = asked.map_err(|error| match error {
                MyError::Lacking(why) => {
                    Failure::new(FailureClass::Tls, "tls.handshake", format!("{dsn} {why}"))
                }
                error => self.mysql_failure(error),
            })?;
            let stream = self.encrypt(tcp, Protocol::Mysql).await?;
            self.question(server.on(stream), login).await
        } else {
            let stream: Greeted<Box<dyn Duplex>> = greeted.boxed();
            self.question(stream, login).await
        }
    }

    async fn question(
        &mut self,
        greeted: Greeted<Box<dyn Duplex>>,
        login: Login<'_>,
    ) -> Result<Rows, Failure> {
        self.entry.enter(Phase::Send);
        let signed_in = greeted.sign_in(login, (self.dsn.tls, self.server_limit()), &mut self.entry).await;
        let mut session: Session<_> = signed_in.map_err(|error| self.mysql_failure(error))?;
        self.entry.finish();
        let asked = session.ask(&self.step.query, self.step.rows_limit, &mut self.query).await;
        let asked = asked.map_err(|error| self.mysql_failure(error));
        self.query.finish();
        // Only after a goodbye does the server not log a lost connection; its time is not the answer's.
        let until = self.deadline.min(Instant::now() + GOODBYE);
        let _said = within(until, session.close()).await;
        asked
    }

    fn mysql_failure(&self, error: MyError) -> Failure {
        let dsn = self.dsn;
        match error {
            MyError::Broken(failure) => {
                let message = format!("{dsn}: {}", failure.message);
                Failure::new(failure.class, failure.error_type, message)
            }
            MyError::Refused(Refusal { number, state, message }) => {
                let message = format!("{dsn}: {message} (SQLSTATE {state}, error {number})");
                Failure::new(FailureClass::Protocol, format!("sql.{}", word(&state)), message)
            }
            MyError::TooMuch => {
                let message = format!("{dsn}: the answer is longer than the limit of 4 MiB");
                Failure::new(FailureClass::Protocol, "sql.too_large", message)
            }
            MyError::Wrong(why) => {
                let message = format!("{dsn} does not speak MySQL's protocol as expected: {why}");
                Failure::new(FailureClass::Protocol, "sql.protocol", message)
            }
            MyError::Lacking(why) => fault::config(format!("{dsn} {why}")),
        }
    }
}
