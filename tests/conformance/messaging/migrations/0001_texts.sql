CREATE TABLE public.texts (stream uuid PRIMARY KEY, texts text[] NOT NULL, seen jsonb NOT NULL);
GRANT SELECT, INSERT, UPDATE ON public.texts TO {{app}};
