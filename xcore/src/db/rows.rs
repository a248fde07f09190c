//! A stream of rows that owns what the rows are read from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::{BoxStream, Stream};
use sea_orm::{DbErr, QueryResult};

type Row = Result<QueryResult, DbErr>;

/// The rows of a streamed query, one at a time as they are polled.
///
/// Dropping it early ends the query. It holds a connection for as long as it lives.
pub struct RowStream<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    /// The backend's own stream.
    Stream(BoxStream<'a, Row>),
    /// A future that owns a lock, reads below it and leaves each row on the table.
    Producer { future: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>, table: Table },
}

/// Where a producer leaves one row for its consumer. Both are polled by the same task, so no waker is needed.
#[derive(Clone, Default)]
pub(crate) struct Table(Arc<Mutex<Option<Row>>>);

impl Table {
    fn take(&self) -> Option<Row> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts a row down and waits until it was taken.
    pub(crate) async fn put(&self, row: Row) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(row);
        std::future::poll_fn(|_| {
            let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none();
            if taken { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl<'a> RowStream<'a> {
    pub(crate) fn of(rows: BoxStream<'a, Row>) -> Self {
        Self { source: Source::Stream(rows) }
    }

    /// Makes a stream of a future that puts its rows on a table.
    pub(crate) fn produce<F>(producer: impl FnOnce(Table) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'a,
    {
        let table = Table::default();
        let future: Pin<Box<dyn Future<Output = ()> + Send + 'a>> = Box::pin(producer(table.clone()));
        Self { source: Source::Producer { future: Some(future), table } }
    }
}

impl Stream for RowStream<'_> {
    type Item = Row;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Row>> {
        match &mut self.get_mut().source {
            Source::Stream(rows) => rows.as_mut().poll_next(cx),
            Source::Producer { future, table } => {
                let ended = match future {
                    Some(running) => running.as_mut().poll(cx).is_ready(),
                    None => true,
                };
                if ended {
                    *future = None;
                }
                match table.take() {
                    Some(row) => Poll::Ready(Some(row)),
                    None if ended => Poll::Ready(None),
                    None => Poll::Pending,
                }
            }
        }
    }
}

impl fmt::Debug for RowStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowStream")
    }
}
