-- Tickets of the last 90 days by how many people owned them one after the other.
SELECT owners, count(*) AS tickets
  FROM (SELECT t.ticket_id, count(DISTINCT o.owner_id) AS owners
          FROM tickets_v1 t
          LEFT JOIN owner_spans_v1 o USING (ticket_id)
         WHERE t.created_at >= current_date - 90
         GROUP BY t.ticket_id) AS e
 GROUP BY owners
 ORDER BY owners;
