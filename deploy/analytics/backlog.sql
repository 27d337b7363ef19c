-- How many tickets were open at the end of each day of the last month, by queue.
SELECT d.day::date AS day, t.queue, count(*) AS tickets
  FROM generate_series(current_date - 30, current_date, interval '1 day') AS d(day)
  JOIN state_spans_v1 s ON s.started_at < d.day + interval '1 day'
                       AND coalesce(s.ended_at, 'infinity') >= d.day + interval '1 day'
  JOIN tickets_v1 t USING (ticket_id)
 WHERE s.state_type IN ('new', 'open', 'pending_reminder', 'pending_auto_close')
 GROUP BY d.day, t.queue
 ORDER BY d.day, t.queue;
