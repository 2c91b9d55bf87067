"""What a mailing says: drafts frozen into content, kept templates, attachments, previews."""
