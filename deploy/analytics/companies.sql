-- The companies with the most tickets in the last 90 days, and the messages in them.
SELECT t.company,
       count(DISTINCT t.ticket_id) AS tickets,
       count(a.article_id) FILTER (WHERE a.sender = 'customer') AS messages
  FROM tickets_v1 t
  JOIN articles_v1 a USING (ticket_id)
 WHERE t.company IS NOT NULL AND t.created_at >= current_date - 90
 GROUP BY t.company
 ORDER BY tickets DESC
 LIMIT 20;
