//! What becomes of a batch: filtered, enriched, shaped, and handed to the target.

use bytes::Bytes;
use serde_json::Value;
use tradewind_connect::ProduceError;
use tradewind_events::api_destination::{DestinationFailure, DestinationRequest, HttpParameters};
use tradewind_events::{BatchItem, Message, QueueRecord, Routing, Trace, Verdict, verdict};
use tradewind_model::Arn;
use tradewind_store::queue::{QueueId, Receipt};
use tradewind_store::{Batch as Changes, DatabaseError};

use crate::model::Pipe;
use crate::service::PipesService;
use crate::settings::{Enrichment, EnrichmentKind};
use crate::target::{Input, Kind, list, records};
use crate::template::{Context, InputTemplate};

/// A message that was received and that the filters let through.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    id: String,
    pub(crate) receipt: Receipt,
    /// The message group, if the queue is ordered.
    group: Option<String>,
    /// As Lambda would get it, but for the body: that is parsed if it is JSON.
    parsed: Value,
    /// With the body as it is.
    text: String,
    trace: Trace,
}

impl Event {
    /// None if it cannot be written as JSON, which a record always can.
    pub(crate) fn of(
        record: &QueueRecord,
        (receipt, group): (Receipt, Option<String>),
        service: &PipesService,
    ) -> Option<Self> {
        let text = serde_json::to_string(record).ok()?;
        let mut parsed: Value = serde_json::from_str(&text).ok()?;
        if let Ok(body) = serde_json::from_str(&record.body) {
            parsed["body"] = body;
        }
        let header = record
            .attributes
            .iter()
            .find(|(name, _)| *name == "AWSTraceHeader");
        Some(Self {
            id: record.message_id.clone(),
            receipt,
            group,
            parsed,
            text,
            trace: Trace::from_header(header.map(|(_, header)| header.as_str()), service.now()),
        })
    }

    /// How long it is as a function gets it.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// The group within which order counts.
    pub(crate) fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// As answers name it.
    fn named(&self) -> BatchItem<'_> {
        BatchItem {
            id: &self.id,
            group: self.group(),
        }
    }

    /// What filters see.
    pub(crate) fn parsed(&self) -> &Value {
        &self.parsed
    }
}

/// What has become of messages that were brought to the target.
#[derive(Debug)]
pub(crate) enum Done {
    /// They are gone from the queue already: that was one transaction with the delivery.
    Ended,
    /// They are to be ended, because the target has them or nobody is to get them; but for those at these
    /// positions, which it failed at.
    EndBut(Vec<usize>),
}

/// Brings a batch to the pipe's target.
///
/// # Errors
/// Why not; the messages stay in the queue.
pub(crate) async fn deliver(
    service: &PipesService,
    pipe: &Pipe,
    queue: (&QueueId, bool),
    events: &[Event],
) -> Result<Done, String> {
    let inputs = inputs(service, pipe, events).await?;
    if inputs.is_empty() {
        return Ok(Done::EndBut(Vec::new()));
    }
    if let Kind::Call = pipe.plan.target.kind {
        let answer = call(service, pipe, &inputs).await?;
        return judge(&answer, events);
    }
    if let Kind::Topic { topic, key } = &pipe.plan.target.kind {
        let written = service
            .config()
            .topics
            .send_all(topic, &records(key.as_ref(), &inputs))
            .await;
        return unwritten(&written, events);
    }
    if let Kind::Destination(http) = &pipe.plan.target.kind {
        for input in &inputs {
            let asked = ask(service, &pipe.plan.target.arn, http, input).await;
            asked.map_err(|error| format!("the target: {error}"))?;
        }
        return Ok(Done::EndBut(Vec::new()));
    }
    let messages = pipe.plan.target.messages(pipe, &inputs, service.now())?;
    let receipts: Vec<Receipt> = events.iter().map(|event| event.receipt).collect();
    hand_on(service, pipe, queue, messages, &receipts).await
}

/// What templates can name, beside the event.
struct Frame {
    pipe: String,
    time: String,
}

impl Frame {
    fn of(service: &PipesService, pipe: &Pipe) -> Self {
        Self {
            pipe: pipe.id.to_string(),
            time: service.now().to_rfc3339(),
        }
    }
}

/// What the target is to get, of each event or of what the enrichment makes of them.
async fn inputs(service: &PipesService, pipe: &Pipe, events: &[Event]) -> Result<Vec<Input>, String> {
    let frame = Frame::of(service, pipe);
    let enriched = match &pipe.plan.enrichment {
        None => events
            .iter()
            .map(|event| input(pipe, event, pipe.plan.target.template.as_ref(), &frame))
            .collect(),
        Some(enrichment) => {
            let asked = events
                .iter()
                .map(|event| input(pipe, event, enrichment.template.as_ref(), &frame));
            let asked: Vec<Input> = asked.collect();
            let answers = enrich(service, enrichment, &asked).await;
            let answers = answers.map_err(|error| format!("the enrichment: {error}"))?;
            let frame = Frame::of(service, pipe);
            let mut shapes = Vec::new();
            for (answer, trace) in answers {
                let parts = parts(&answer)?.into_iter();
                shapes.extend(parts.map(|part| shaped(pipe, part, trace.clone(), &frame)));
            }
            shapes
        }
    };
    Ok(enriched)
}

/// The answers of an enrichment, each with the journey that it is part of.
async fn enrich(
    service: &PipesService,
    enrichment: &Enrichment,
    asked: &[Input],
) -> Result<Vec<(Bytes, Trace)>, String> {
    let http = match &enrichment.kind {
        EnrichmentKind::Function => {
            let trace = asked.first().map(|input| input.trace.clone()).unwrap_or_default();
            let (list, header) = (list(asked).into(), trace.header().unwrap_or_default());
            let functions = &service.config().functions;
            let answer = functions.call(&enrichment.arn, list, header).await;
            return match answer {
                Ok(answer) => Ok(vec![(answer, trace)]),
                Err(error) => Err(error.to_string()),
            };
        }
        EnrichmentKind::Destination(http) => http,
    };
    let mut answers = Vec::new();
    for input in asked {
        let answer = ask(service, &enrichment.arn, http, input).await;
        let answer = answer.map_err(|error| error.to_string())?;
        answers.push((answer, input.trace.clone()));
    }
    Ok(answers)
}

/// Asks an API destination with one event.
async fn ask(
    service: &PipesService,
    destination: &Arn,
    http: &HttpParameters,
    input: &Input,
) -> Result<Bytes, DestinationFailure> {
    let request = DestinationRequest {
        destination: destination.clone(),
        http: http.of_event(&input.event),
        body: input.text.clone(),
        trace: input.trace.header(),
    };
    service.config().destinations.call(request).await
}

/// An event as a template shapes it; without one as it is.
fn input(pipe: &Pipe, event: &Event, template: Option<&InputTemplate>, frame: &Frame) -> Input {
    let text = match template {
        Some(template) => template.apply(&event.parsed, context(pipe, frame)),
        None => event.text.clone(),
    };
    Input {
        event: event.parsed.clone(),
        text,
        trace: event.trace.clone(),
    }
}

/// A part of an enrichment's answer as the target's template shapes it.
fn shaped(pipe: &Pipe, part: Value, trace: Trace, frame: &Frame) -> Input {
    let text = match &pipe.plan.target.template {
        Some(template) => template.apply(&part, context(pipe, frame)),
        None => part.to_string(),
    };
    Input {
        event: part,
        text,
        trace,
    }
}

/// An enrichment answers a list, each element of which is an event, or one event. An empty answer ends
/// the batch: that is how enrichments filter.
fn parts(answer: &[u8]) -> Result<Vec<Value>, String> {
    if answer.is_empty() {
        return Ok(Vec::new());
    }
    let answer: Value =
        serde_json::from_slice(answer).map_err(|_no_json| "the enrichment answers no JSON")?;
    Ok(match answer {
        Value::Array(parts) => parts,
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::Object(members) if members.is_empty() => Vec::new(),
        one => vec![one],
    })
}

fn context<'a>(pipe: &'a Pipe, frame: &'a Frame) -> Context<'a> {
    Context {
        pipe_arn: &frame.pipe,
        pipe_name: pipe.id.name(),
        source_arn: &pipe.settings.source,
        enrichment_arn: pipe.settings.enrichment.as_deref().unwrap_or_default(),
        target_arn: &pipe.settings.target,
        ingestion_time: &frame.time,
    }
}

/// Calls the target; returns its answer.
async fn call(service: &PipesService, pipe: &Pipe, inputs: &[Input]) -> Result<Bytes, String> {
    let trace = inputs
        .first()
        .map(|input| input.trace.clone())
        .unwrap_or_default();
    let functions = &service.config().functions;
    let answer = functions.call(
        &pipe.plan.target.arn,
        list(inputs).into(),
        trace.header().unwrap_or_default(),
    );
    answer.await.map_err(|error| format!("the target: {error}"))
}

/// What a function's answer means for the messages that it got. Unlike event source mappings, pipes are not
/// told whether a function reports failures: an answer that is no JSON object reports none.
fn judge(answer: &[u8], events: &[Event]) -> Result<Done, String> {
    if !matches!(serde_json::from_slice(answer), Ok(Value::Object(_))) {
        return Ok(Done::EndBut(Vec::new()));
    }
    let items: Vec<BatchItem<'_>> = events.iter().map(Event::named).collect();
    match verdict(answer, &items) {
        Verdict::Done => Ok(Done::EndBut(Vec::new())),
        Verdict::Partly(failed) => Ok(Done::EndBut(failed)),
        Verdict::Failed => Err("the target: it answers failures that are not of the batch".into()),
    }
}

/// What was not written stays in the queue, but nobody tells which messages an enrichment made it of: then all stay.
fn unwritten(written: &[Result<(), ProduceError>], events: &[Event]) -> Result<Done, String> {
    let failed = written.iter().enumerate().filter(|(_, result)| result.is_err());
    let failed: Vec<usize> = failed.map(|(position, _)| position).collect();
    let all = failed.len() == written.len() || written.len() != events.len();
    match written.iter().find_map(|result| result.as_ref().err()) {
        Some(error) if all => Err(format!("the target: {error}")),
        Some(_) | None => Ok(Done::EndBut(failed)),
    }
}

/// Hands the messages to the router. From a standard queue that is one transaction with the end of what was
/// received: if somebody else has received one of them meanwhile, nothing happens.
async fn hand_on(
    service: &PipesService,
    pipe: &Pipe,
    (queue, fifo): (&QueueId, bool),
    messages: Vec<Message>,
    receipts: &[Receipt],
) -> Result<Done, String> {
    let config = service.config();
    let mut changes = Changes::new();
    if !fifo {
        for receipt in receipts {
            changes = config.queues.end_within(changes, queue, *receipt);
        }
    }
    let mut routing = Routing::new(changes);
    for message in messages {
        let delivered = config
            .router
            .deliver(&mut routing, &pipe.plan.target.arn, message);
        delivered.map_err(|error| format!("the target: {error}"))?;
    }
    match config.database.write(routing.into_batch()).await {
        Ok(_) if fifo => Ok(Done::EndBut(Vec::new())),
        Ok(_) => Ok(Done::Ended),
        Err(DatabaseError::Unexpected { .. }) => {
            Err("a message was received by somebody else meanwhile".into())
        }
        Err(error) => Err(error.to_string()),
    }
}
