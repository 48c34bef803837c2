//! The queue's tables.

use crate::Migration;

/// The schema of queues.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "queue",
    version: 1,
    sql: VERSION_1,
}];

/// `queue_messages` refers to a queue by number, so that a purge is a new number for the queue: the
/// messages of the old one are swept away behind it (`queue_swept`). Deduplication outlasts a purge, and
/// goes by the queue's first number.
///
/// One index finds what is ready, what becomes ready next and what is past its retention, and counts by
/// itself (`receives` tells a delay from a lease). A group of a FIFO queue has a row with the time from
/// which its next message may be received.
const VERSION_1: &str = "
CREATE TABLE queue_queues (
    id TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    first_number BIGINT NOT NULL,
    fifo BIGINT NOT NULL,
    content_based_deduplication BIGINT NOT NULL,
    deduplicate_by_group BIGINT NOT NULL,
    delay_ms BIGINT NOT NULL,
    retention_ms BIGINT NOT NULL,
    dead_letter TEXT,
    max_receives BIGINT,
    max_leased BIGINT
);
-- only sqlite
CREATE TABLE queue_sequence (last BIGINT NOT NULL);
INSERT INTO queue_sequence (last) VALUES (0);
-- only postgres
CREATE SEQUENCE queue_sequence;
-- both
CREATE TABLE queue_swept (number BIGINT NOT NULL PRIMARY KEY);
CREATE TABLE queue_messages (
    -- only sqlite
    sequence INTEGER NOT NULL PRIMARY KEY,
    -- only postgres
    sequence BIGINT NOT NULL PRIMARY KEY,
    -- both
    queue BIGINT NOT NULL,
    visible_at BIGINT NOT NULL,
    receives BIGINT NOT NULL,
    receives_before BIGINT NOT NULL,
    fifo BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    first_received_at BIGINT,
    id BLOB NOT NULL,
    message_group TEXT,
    deduplication_id TEXT,
    death_source TEXT,
    death_reason TEXT,
    attributes BLOB NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX queue_messages_visible ON queue_messages (queue, visible_at, receives);
CREATE INDEX queue_messages_order ON queue_messages (queue, message_group, sequence) WHERE fifo = 1;
CREATE TABLE queue_groups (
    queue BIGINT NOT NULL,
    message_group TEXT NOT NULL,
    ready_at BIGINT NOT NULL,
    PRIMARY KEY (queue, message_group)
);
CREATE INDEX queue_groups_ready ON queue_groups (queue, ready_at);
CREATE TABLE queue_deduplication (
    queue BIGINT NOT NULL,
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    message_id BLOB NOT NULL,
    sequence BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (queue, scope, id)
);
CREATE INDEX queue_deduplication_expiry ON queue_deduplication (expires_at);
CREATE TABLE queue_moves (
    id TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    destination TEXT,
    max_per_second BIGINT,
    status TEXT NOT NULL,
    failure TEXT,
    moved BIGINT NOT NULL,
    to_move BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL
);
CREATE INDEX queue_moves_source ON queue_moves (source, started_at);
CREATE INDEX queue_moves_running ON queue_moves (next_at) WHERE status = 'running';
";
