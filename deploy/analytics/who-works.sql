-- Answers, notes and time units of each agent in the last 30 days.
SELECT p.name,
       count(*) FILTER (WHERE e.type LIKE 'helpdesk.AgentReplied.%') AS answers,
       count(*) FILTER (WHERE e.type LIKE 'helpdesk.NoteAdded.%') AS notes,
       coalesce((SELECT sum(w.time_units)
                   FROM time_entries_v1 w
                  WHERE w.person_id = p.person_id AND w.at >= current_date - 30), 0) AS time_units
  FROM people_v1 p
  JOIN events_v1 e ON e.actor_id = p.person_id AND e.at >= current_date - 30
 WHERE NOT p.retired
 GROUP BY p.person_id, p.name
 ORDER BY answers DESC;
