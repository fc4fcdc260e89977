//! One request from its arrival to the last byte of its answer. What a request does is done to the end
//! even if its client has gone: a provider would do the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::delivery::{Delivered, Delivery, Manner};
use crate::faults::{How, Kind, Moment, Place};
use crate::http::{Answer, Request};
use crate::line::Line;
use crate::provider::Name;
use crate::world::{Shared, Turn};

/// What becomes of the connection.
pub enum Next {
    /// The next request may come.
    Listen,
    /// Close in order.
    Close,
    /// Cut.
    Cut(How),
}

/// The exchange as far as it does not change.
pub struct Exchange<'a> {
    pub shared: &'a Arc<Shared>,
    pub provider: Name,
    pub connection: u64,
    pub request: Request,
}

impl Exchange<'_> {
    /// Runs the exchange over its connection.
    pub async fn run(self, line: &mut Line) -> Next {
        let arrival = self.shared.world().arrive(self.provider, self.connection, &self.request);
        let fault = match arrival.turn {
            Turn::Refused(answer) => return self.deliver(line, arrival.seq, &answer, &Manner::Whole).await,
            Turn::Admitted(fault) => fault,
        };
        pause(fault.as_ref(), Moment::BeforeApply).await;
        if let Some(how) = cut_at(fault.as_ref(), Place::BeforeApply) {
            return self.cut(arrival.seq, how);
        }
        let answer = self.shared.world().act(self.provider, arrival.seq, &self.request, fault.as_ref());
        pause(fault.as_ref(), Moment::AfterApply).await;
        if let Some(how) = cut_at(fault.as_ref(), Place::AfterApply) {
            return self.cut(arrival.seq, how);
        }
        self.deliver(line, arrival.seq, &answer, &Manner::of(fault.as_ref())).await
    }

    /// No byte of an answer leaves. It is written down first, so that a client that sees the cut finds it there.
    fn cut(&self, seq: u64, how: How) -> Next {
        self.shared.world().end(seq, 0, false);
        Next::Cut(how)
    }

    async fn deliver(&self, line: &mut Line, seq: u64, answer: &Answer, manner: &Manner) -> Next {
        let close = manner.closes() || !self.request.keep_alive;
        let status = (!matches!(manner, Manner::Raw(_))).then_some(answer.status);
        self.shared.world().answering(seq, status);
        let mut delivery = Delivery::new(line);
        let before_last_byte = |bytes| self.shared.world().end(seq, bytes, true);
        let outcome =
            delivery.send(answer, manner, close, self.request.method == "HEAD", before_last_byte).await;
        match (outcome, delivery.sent) {
            (Ok(Delivered::Whole), _) if close => Next::Close,
            (Ok(Delivered::Whole), _) => Next::Listen,
            (Ok(Delivered::Cut(how)), sent) => {
                self.shared.world().end(seq, sent, false);
                Next::Cut(how)
            }
            (Err(_), sent) => {
                self.shared.world().lost(seq, sent);
                Next::Close
            }
        }
    }
}

async fn pause(fault: Option<&Kind>, moment: Moment) {
    if let Some(Kind::Latency { ms, at }) = fault
        && *at == moment
    {
        sleep(Duration::from_millis(*ms)).await;
    }
}

fn cut_at(fault: Option<&Kind>, place: Place) -> Option<How> {
    match fault {
        Some(Kind::Cut { at, how }) if *at == place => Some(*how),
        _ => None,
    }
}
