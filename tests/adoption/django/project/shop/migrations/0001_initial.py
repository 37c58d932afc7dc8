import os

from django.db import migrations, models

# MySQL indexes no text without a length.
NAME = models.CharField(max_length=200) if "MYDATABASE" in os.environ else models.TextField()


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Customer",
            fields=[("id", models.BigAutoField(primary_key=True)), ("name", NAME)],
        ),
    ]
