-- Tickets of the last year by month and channel.
SELECT date_trunc('month', created_at)::date AS month, channel, count(*) AS tickets
  FROM tickets_v1
 WHERE created_at >= current_date - 365
 GROUP BY month, channel
 ORDER BY month, channel;
