-- What few attempts have: the service tier that served (NULL: the ordinary one), what is billed besides tokens
-- (`web_search=3 audio_input=900`), parameters that were left out for the model (a JSON list), and the longest silence
-- within a stream after its first byte.
ALTER TABLE attempts ADD COLUMN tier TEXT;
ALTER TABLE attempts ADD COLUMN meters TEXT;
ALTER TABLE attempts ADD COLUMN left_out TEXT;
ALTER TABLE attempts ADD COLUMN gap_ms INTEGER;
