-- Days that closed tickets of the last 90 days spent in each state, on average.
SELECT s.state,
       sum(extract(epoch FROM s.ended_at - s.started_at)) / 86400 / count(DISTINCT s.ticket_id) AS days,
       count(DISTINCT s.ticket_id) AS tickets
  FROM state_spans_v1 s
  JOIN tickets_v1 t USING (ticket_id)
 WHERE t.closed_at >= current_date - 90 AND s.ended_at IS NOT NULL
 GROUP BY s.state
 ORDER BY days DESC;
