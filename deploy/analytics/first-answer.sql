-- Minutes until the first answer, by queue, of tickets of the last 90 days: median and 90 %.
SELECT queue,
       count(*) AS answered,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM first_answer_at - created_at) / 60) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM first_answer_at - created_at) / 60) AS p90
  FROM tickets_v1
 WHERE first_answer_at IS NOT NULL AND created_at >= current_date - 90
 GROUP BY queue
 ORDER BY median DESC;
