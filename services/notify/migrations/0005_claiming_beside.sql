-- A backlog that may not leave stands first by due_at. Beside it, mails are found lane by lane: by domain and queue, each lane's oldest first.
CREATE INDEX deliveries_lanes ON notify.deliveries
    (domain, coalesce(queue_id, '00000000-0000-0000-0000-000000000000'::uuid), due_at);
CREATE INDEX deliveries_despite_pause ON notify.deliveries (due_at) WHERE despite_pause;
