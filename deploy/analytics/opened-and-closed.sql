-- Tickets that were opened and closed in each week of the last year.
SELECT week::date AS week, sum(opened) AS opened, sum(closed) AS closed
  FROM (SELECT date_trunc('week', created_at) AS week, 1 AS opened, 0 AS closed
          FROM tickets_v1
         WHERE created_at >= current_date - 365 AND state_type <> 'removed'
         UNION ALL
        SELECT date_trunc('week', started_at), 0, 1
          FROM state_spans_v1
         WHERE state_type = 'closed' AND started_at >= current_date - 365) AS e
 GROUP BY week
 ORDER BY week;
