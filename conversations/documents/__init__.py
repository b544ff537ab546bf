"""Files and pages to text: PDF, DOCX, plain text, HTML. Foreign bytes are read in a process of their own (`apart`)."""
